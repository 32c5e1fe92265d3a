import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { evaluate } from './evaluate-template.ts';
import { resourcesOf, type Synthesized, type TemplateBody } from './synthesize-stacks.ts';

const RUNBOOK = fileURLToPath(new URL('../../../docs/runbook.md', import.meta.url));
const FUNCTIONS = ['api', 'get-size', 'task', 'aggregate', 'shutdown', 'dead-letter', 'report'];

interface AlarmProperties {
  readonly AlarmName: string;
  readonly AlarmDescription: string;
  readonly AlarmActions: readonly string[];
  readonly TreatMissingData: string;
  readonly Dimensions: readonly { readonly Name: string; readonly Value: string }[];
}

export function testAlarms(stacks: () => Synthesized): void {
  const both = () => [stacks().own, stacks().existing];

  test('there is an alarm for everything that calls for a person', () => {
    for (const { body } of both()) {
      const names = alarmsOf(body).map(({ AlarmName }) => AlarmName.replace(/^prewarm_(.*)_prod$/, '$1'));
      expect(names.toSorted()).toEqual(
        [
          'dead-letters',
          'stream-failures',
          'sizing-given-up',
          'planning-given-up',
          'instances-left',
          'past-timeout',
          'backlog',
          ...FUNCTIONS.flatMap((name) => [`${name}_errors`, `${name}_throttles`]),
        ].toSorted(),
      );
    }
  });

  test('every alarm has its section in the runbook, with description, investigation and resolution', () => {
    const sections = readSections();
    for (const { body } of both()) {
      for (const { AlarmName, AlarmDescription } of alarmsOf(body)) {
        const anchor = /docs\/runbook\.md#([\w-]+)$/.exec(AlarmDescription)?.[1] ?? '';
        const section = sections.get(anchor) ?? '';
        for (const part of ['Description', 'Investigation', 'Resolution'])
          expect(section, `${AlarmName} -> ${anchor}`).toContain(`### ${part}\n`);
        expect(section).toContain(AlarmName.replace(/^prewarm_.*_(errors|throttles)_prod$/, 'prewarm_<function>_$1_prod'));
      }
    }
  });

  test('every section of the runbook belongs to an alarm', () => {
    const anchors = new Set(alarmsOf(stacks().own.body).map(({ AlarmDescription }) => AlarmDescription.split('#')[1]));
    expect(new Set(readSections().keys())).toEqual(anchors);
  });

  test('alarms notify the alarm topic, and the backlog wakes the fleet function and scales nothing', () => {
    for (const { body } of both()) {
      for (const { AlarmName, AlarmActions } of alarmsOf(body)) {
        expect(AlarmActions).toEqual([
          expect.stringMatching(AlarmName.includes('backlog') ? /^<NotificationsBacklog/ : /^<NotificationsAlarms/),
        ]);
      }
      expect(resourcesOf(body, 'AWS::AutoScaling::ScalingPolicy')).toEqual([]);
      const subscriptions = (alarmEmail: string) =>
        resourcesOf(body, 'AWS::SNS::Subscription')
          .filter(([, { Condition }]) => Condition === undefined || evaluate(body, { Condition }, { alarmEmail }) === true)
          .map(([, { Properties }]) => evaluate(body, Properties, { alarmEmail }) as { Protocol: string });
      const backlog = { Protocol: 'lambda', TopicArn: expect.stringMatching(/^<NotificationsBacklog/) };
      expect(subscriptions('')).toMatchObject([backlog]);
      const mail = { Protocol: 'email', Endpoint: 'a@example.com', TopicArn: expect.stringMatching(/^<NotificationsAlarms/) };
      expect(subscriptions('a@example.com').toSorted((a, b) => a.Protocol.localeCompare(b.Protocol))).toMatchObject([mail, backlog]);
    }
  });

  test('alarms may publish to their topics, over TLS only', () => {
    for (const { body } of both()) {
      const policies = resourcesOf(body, 'AWS::SNS::TopicPolicy').map(([, { Properties }]) =>
        JSON.stringify(evaluate(body, Properties, {})),
      );
      expect(policies).toHaveLength(3);
      for (const policy of policies) expect(policy).toContain('"aws:SecureTransport":"false"');
      const open = policies.filter((policy) => policy.includes('"Service":"cloudwatch.amazonaws.com"'));
      const topics = open.map((policy) => /<Notifications(\w+)\w{8}>/.exec(policy)?.[1] ?? '');
      expect(topics.toSorted()).toEqual(['Alarms', 'Backlog']);
    }
  });

  test('silence raises no alarm, and figures of the functions are those of the environment', () => {
    for (const { body } of both()) {
      expect(new Set(alarmsOf(body).map(({ TreatMissingData }) => TreatMissingData))).toEqual(new Set(['notBreaching']));
      const own = alarmsOf(body).filter(({ AlarmName }) => /instances-left|past-timeout/.test(AlarmName));
      expect(own.map(({ Dimensions }) => Dimensions)).toEqual([[{ Name: 'EnvName', Value: 'prod' }], [{ Name: 'EnvName', Value: 'prod' }]]);
    }
  });

  test('the dashboard shows requests, targets per second, hits and failures, the queue, and the instances', () => {
    for (const { body } of both()) {
      const [dashboard] = resourcesOf(body, 'AWS::CloudWatch::Dashboard');
      const shown = JSON.stringify(evaluate(body, dashboard?.[1].Properties, {}));
      for (const metric of [
        'RequestsAccepted',
        'RequestsEnded',
        // A minute in which nothing failed has no figure of failures, and a sum with one that is missing is missing too.
        '(FILL(warmed, 0) + FILL(alreadyWarm, 0) + FILL(failed, 0)) / PERIOD(warmed)',
        'TargetsAlreadyWarm',
        'TargetsFailed',
        'ApproximateNumberOfMessagesVisible',
        'ApproximateAgeOfOldestMessage',
        'GroupInServiceInstances',
      ]) {
        expect(shown).toContain(metric);
      }
    }
  });
}

function alarmsOf(body: TemplateBody): AlarmProperties[] {
  return resourcesOf(body, 'AWS::CloudWatch::Alarm').map(([, { Properties }]) => evaluate(body, Properties, {}) as AlarmProperties);
}

/** Sections by their anchors, as GitHub makes them. */
function readSections(): ReadonlyMap<string, string> {
  const [, ...sections] = readFileSync(RUNBOOK, 'utf8').split(/^## /m);
  return new Map(
    sections.map((section) => {
      const title = section.slice(0, section.indexOf('\n'));
      return [
        title
          .toLowerCase()
          .replaceAll(/[^\w -]/g, '')
          .replaceAll(' ', '-'),
        section,
      ] as const;
    }),
  );
}
