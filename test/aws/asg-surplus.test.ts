import { AutoScalingClient } from '@aws-sdk/client-auto-scaling';
import { expect, test } from 'vitest';
import { createAsgFleet } from '../../adapters/aws/asg-fleet.ts';
import type { ServerAnswer } from '../http/answer-server.ts';
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

function groupOf(desired: number, instances: readonly Instance[]): string {
  const members = instances.map(
    ({ id, state = 'InService', isProtected = false }) =>
      `<member><InstanceId>${id}</InstanceId><LifecycleState>${state}</LifecycleState><ProtectedFromScaleIn>${isProtected}</ProtectedFromScaleIn></member>`,
  );
  return `<AutoScalingGroups><member><AutoScalingGroupName>g</AutoScalingGroupName><DesiredCapacity>${desired}</DesiredCapacity><Instances>${members.join('')}</Instances></member></AutoScalingGroups>`;
}

/** A group that answers calls by their action; the nth answer of a list for the nth call of that action, then its last. */
async function openGroup(answers: Readonly<Record<string, readonly ServerAnswer[]>>) {
  const calls: URLSearchParams[] = [];
  const standIn = await openStandIn(() => {
    const call = new URLSearchParams(standIn.received.at(-1)?.body);
    const action = call.get('Action') ?? '';
    calls.push(call);
    const nth = calls.filter((earlier) => earlier.get('Action') === action).length;
    const own = answers[action] ?? [];
    return own[nth - 1] ?? own.at(-1) ?? answerTo(action, '');
  });
  const fleet = createAsgFleet(new AutoScalingClient(standIn.config), { groupName: 'g', maximum: 3 });
  const decrements = () => calls.flatMap((call) => call.get('ShouldDecrementDesiredCapacity') ?? []);
  return { fleet, actions: () => calls.map((call) => call.get('Action')), decrements };
}

const described = (desired: number, instances: readonly Instance[]) => answerTo('DescribeAutoScalingGroups', groupOf(desired, instances));

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

test('instances on their way out are left out, and the others have the times of their launches', async () => {
  const activity = (text: string, at: string) =>
    `<member><ActivityId>a</ActivityId><Description>${text}</Description><StartTime>${at}</StartTime></member>`;
  const activities = [
    activity('Terminating EC2 instance: i-0b', '2026-11-21T15:00:00Z'),
    activity('Launching a new EC2 instance: i-0a', '2026-11-21T14:00:00Z'),
  ];
  const { fleet } = await openGroup({
    DescribeAutoScalingGroups: [
      described(2, [
        { id: 'i-0a', isProtected: true },
        { id: 'i-0b', state: 'Terminating' },
        { id: 'i-0c', state: 'Pending' },
      ]),
    ],
    DescribeScalingActivities: [answerTo('DescribeScalingActivities', `<Activities>${activities.join('')}</Activities>`)],
  });
  expect(await fleet.listInstances()).toEqual([
    { id: 'i-0a', isProtected: true, launchedAt: Date.parse('2026-11-21T14:00:00Z') },
    { id: 'i-0c', isProtected: false, launchedAt: null },
  ]);
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
