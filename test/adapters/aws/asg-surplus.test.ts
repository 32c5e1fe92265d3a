import { AutoScalingClient } from '@aws-sdk/client-auto-scaling';
import { expect, test } from 'vitest';
import { type AsgFleetOptions, createAsgFleet } from '../../../adapters/aws/asg-fleet.ts';
import type { ServerAnswer } from '../../../testing/answer-server.ts';
import { openStandIn } from './aws-stand-in.ts';

interface Instance {
  readonly id: string;
  readonly state?: string;
  readonly isProtected?: boolean;
}

const NS = 'xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/"';

function answerTo(action: string, result: string): ServerAnswer {
  return { status: 200, body: `<${action}Response ${NS}><${action}Result>${result}</${action}Result></${action}Response>` };
}

function refusal(code: string, message: string): ServerAnswer {
  const error = `<Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error>`;
  return { status: 400, body: `<ErrorResponse ${NS}>${error}<RequestId>r</RequestId></ErrorResponse>` };
}

function memberOf(name: string, desired: number, instances: readonly Instance[]): string {
  const members = instances.map(
    ({ id, state = 'InService', isProtected = false }) =>
      `<member><InstanceId>${id}</InstanceId><InstanceType>m6g.large</InstanceType><AvailabilityZone>us-east-1a</AvailabilityZone><LifecycleState>${state}</LifecycleState><ProtectedFromScaleIn>${isProtected}</ProtectedFromScaleIn></member>`,
  );
  return `<member><AutoScalingGroupName>${name}</AutoScalingGroupName><DesiredCapacity>${desired}</DesiredCapacity><Instances>${members.join('')}</Instances></member>`;
}

/** A group that answers calls by their action; the nth answer of a list for the nth call of that action, then its last. */
async function openGroup(
  answers: Readonly<Record<string, readonly ServerAnswer[]>>,
  options: Omit<AsgFleetOptions, 'groupName'> = { maximum: 3 },
) {
  const calls: URLSearchParams[] = [];
  const standIn = await openStandIn(() => {
    const call = new URLSearchParams(standIn.received.at(-1)?.body);
    const action = call.get('Action') ?? '';
    calls.push(call);
    const nth = calls.filter((earlier) => earlier.get('Action') === action).length;
    const own = answers[action] ?? [];
    return own[nth - 1] ?? own.at(-1) ?? answerTo(action, '');
  });
  const fleet = createAsgFleet(new AutoScalingClient(standIn.config), { groupName: 'g', ...options });
  const decrements = () => calls.flatMap((call) => call.get('ShouldDecrementDesiredCapacity') ?? []);
  const capacities = () =>
    Object.fromEntries(
      calls.flatMap((call) =>
        call.has('DesiredCapacity') ? [[call.get('AutoScalingGroupName'), Number(call.get('DesiredCapacity'))]] : [],
      ),
    );
  return { fleet, actions: () => calls.map((call) => call.get('Action')), decrements, capacities };
}

const described = (desired: number, instances: readonly Instance[]) =>
  answerTo('DescribeAutoScalingGroups', `<AutoScalingGroups>${memberOf('g', desired, instances)}</AutoScalingGroups>`);

test('a protected instance beyond desired capacity is ended without lowering that', async () => {
  const instances = [{ id: 'i-1', isProtected: true }, { id: 'i-2' }, { id: 'i-3', state: 'Terminating:Wait' }];
  const { fleet, actions, decrements } = await openGroup({ DescribeAutoScalingGroups: [described(1, instances)] });
  await fleet.terminate('i-1');
  expect(actions()).toEqual(['DescribeAutoScalingGroups', 'SetInstanceProtection', 'TerminateInstanceInAutoScalingGroup']);
  expect(decrements()).toEqual(['false']);
});

test('an instance is ended although desired capacity fell to the minimum in between', async () => {
  const atMinimum = refusal(
    'ValidationError',
    "Currently, desiredSize equals minSize (0). Terminating instance without replacement will violate group's min size constraint.",
  );
  const { fleet, decrements } = await openGroup({
    DescribeAutoScalingGroups: [described(1, [{ id: 'i-1' }])],
    TerminateInstanceInAutoScalingGroup: [atMinimum, answerTo('TerminateInstanceInAutoScalingGroup', '')],
  });
  await fleet.terminate('i-1');
  expect(decrements()).toEqual(['true', 'false']);
});

test('capacity is set again while a scaling activity is in progress', async () => {
  const { fleet, actions } = await openGroup({
    SetDesiredCapacity: [refusal('ScalingActivityInProgress', 'later'), answerTo('SetDesiredCapacity', '')],
  });
  await fleet.setCapacity(2);
  expect(actions()).toEqual(['SetDesiredCapacity', 'SetDesiredCapacity']);
});

test('instances on their way out are left out', async () => {
  const instances = [
    { id: 'i-0a', isProtected: true },
    { id: 'i-0b', state: 'Terminating' },
    { id: 'i-0c', state: 'Pending' },
  ];
  const { fleet, actions } = await openGroup({ DescribeAutoScalingGroups: [described(2, instances)] });
  expect(await fleet.listInstances()).toEqual([
    { id: 'i-0a', isProtected: true },
    { id: 'i-0c', isProtected: false },
  ]);
  expect(actions()).toEqual(['DescribeAutoScalingGroups']);
});

const ON_DEMAND = { groupName: 'g_ondemand', afterMinutes: 10 };

/** Both groups: desired capacity and instances of each. */
const describedBoth = (spot: readonly [number, readonly Instance[]], onDemand: readonly [number, readonly Instance[]]) =>
  answerTo(
    'DescribeAutoScalingGroups',
    `<AutoScalingGroups>${memberOf('g', ...spot)}${memberOf('g_ondemand', ...onDemand)}</AutoScalingGroups>`,
  );

test.each([
  ['all that is missing', 10, [10, 2], [0, 0], 8, { g: 2, g_ondemand: 8 }],
  ['what was claimed for long enough, and not what was claimed since', 4, [10, 2], [0, 0], 2, { g: 8, g_ondemand: 2 }],
  ['nothing where the rest is on demand already', 10, [2, 2], [8, 8], 0, {}],
  ['what an interruption took since', 10, [2, 1], [8, 8], 1, { g: 1, g_ondemand: 9 }],
  ['nothing where nothing is overdue', 0, [10, 0], [0, 0], 0, {}],
] as const)('for agents that Spot does not deliver, on demand is asked for %s', async (_what, overdue, spot, onDemand, asked, set) => {
  const made = (prefix: string, [desired, there]: readonly [number, number]) =>
    [desired, Array.from({ length: there }, (_, nth) => ({ id: `${prefix}${nth}` }))] as const;
  const { fleet, capacities } = await openGroup(
    { DescribeAutoScalingGroups: [describedBoth(made('i-', spot), made('d-', onDemand))] },
    { maximum: 100, onDemand: ON_DEMAND },
  );
  expect(await fleet.fallBack(overdue)).toBe(asked);
  expect(capacities()).toEqual(set);
});

test('with no fallback nothing is asked for on demand, and with a group that is not there yet capacity is that of Spot', async () => {
  const never = await openGroup(
    { DescribeAutoScalingGroups: [describedBoth([10, []], [0, []])] },
    { maximum: 100, onDemand: { ...ON_DEMAND, afterMinutes: 0 } },
  );
  expect(await never.fleet.fallBack(10)).toBe(0);
  expect(never.fleet.fallbackMinutes).toBe(0);
  const older = await openGroup({ DescribeAutoScalingGroups: [described(2, [])] }, { maximum: 100, onDemand: ON_DEMAND });
  expect(await older.fleet.getCapacity()).toBe(2);
  await older.fleet.setCapacity(3);
  expect(older.capacities()).toEqual({ g: 3 });
});

test('the fleet reports the last failed activity of either group, and how long Spot may take', async () => {
  const activity = (status: string, message: string, at: string) =>
    `<member><ActivityId>a</ActivityId><StatusCode>${status}</StatusCode><StatusMessage>${message}</StatusMessage><StartTime>${at}</StartTime></member>`;
  const spot = [
    activity('InProgress', '', '2026-11-21T15:02:00Z'),
    activity('Failed', 'Could not launch Spot Instances. UnfulfillableCapacity', '2026-11-21T15:01:00Z'),
    activity('Failed', 'an older one', '2026-11-21T14:00:00Z'),
  ];
  const onDemand = [activity('Failed', 'of the other group', '2026-11-21T14:30:00Z')];
  const answers = [spot, onDemand].map((list) => answerTo('DescribeScalingActivities', `<Activities>${list.join('')}</Activities>`));
  const { fleet } = await openGroup(
    { DescribeAutoScalingGroups: [describedBoth([2, []], [8, []])], DescribeScalingActivities: answers },
    { maximum: 100, onDemand: ON_DEMAND },
  );
  expect(await fleet.describe()).toEqual({
    capacity: 10,
    onDemand: 8,
    fallbackMinutes: 10,
    lastFailedActivity: { at: Date.parse('2026-11-21T15:01:00Z'), message: 'Could not launch Spot Instances. UnfulfillableCapacity' },
  });
});

test('a look at the fleet reports every instance of both groups but those of a warm pool, and known launch times', async () => {
  const launch = (id: string, at: string) =>
    `<member><ActivityId>a-${id}</ActivityId><StatusCode>Successful</StatusCode><StartTime>${at}</StartTime><Description>Launching a new EC2 instance: ${id}</Description></member>`;
  const launched = [launch('i-0a1', '2026-11-21T15:00:00Z'), launch('i-0gone', '2026-11-21T14:00:00Z')].join('');
  const { fleet, actions } = await openGroup(
    {
      DescribeAutoScalingGroups: [
        describedBoth(
          [2, [{ id: 'i-0a1' }, { id: 'i-0b2', state: 'Pending:Wait' }, { id: 'i-0w9', state: 'Warmed:Stopped' }]],
          [1, [{ id: 'i-0c3', state: 'Terminating:Wait' }]],
        ),
      ],
      DescribeScalingActivities: [
        answerTo('DescribeScalingActivities', `<Activities>${launched}</Activities>`),
        answerTo('DescribeScalingActivities', ''),
      ],
    },
    { maximum: 100, onDemand: ON_DEMAND },
  );
  const instance = (id: string, state: string, since: string | null = null) => {
    return { id, instanceId: id, state, type: 'm6g.large', zone: 'us-east-1a', since: since === null ? null : Date.parse(since) };
  };
  expect(await fleet.inspect()).toEqual({
    capacity: 3,
    onDemand: 1,
    lastFailedActivity: null,
    members: [instance('i-0a1', 'running', '2026-11-21T15:00:00Z'), instance('i-0b2', 'pending'), instance('i-0c3', 'leaving')],
  });
  expect(actions().length).toBe(3);
});

test('a group that is to be deleted protects nothing any more and asks for nothing; one that is gone already is no fault', async () => {
  const instances = [{ id: 'i-1', isProtected: true }, { id: 'i-2' }, { id: 'i-3', isProtected: true }];
  const { fleet, actions } = await openGroup({ DescribeAutoScalingGroups: [described(3, instances)] });
  await fleet.release();
  expect(actions()).toEqual(['DescribeAutoScalingGroups', 'SetInstanceProtection', 'SetInstanceProtection', 'SetDesiredCapacity']);
  const gone = await openGroup({ DescribeAutoScalingGroups: [answerTo('DescribeAutoScalingGroups', '<AutoScalingGroups/>')] });
  await gone.fleet.release();
  expect(gone.actions()).toEqual(['DescribeAutoScalingGroups']);
});
