import { CfnCondition, type CfnParameter, Fn } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { RouteInput } from '../../core/keep-warm/validate-route.ts';

/** One POP through which a host is kept warm, as alarms name it. The texts may be tokens. */
export interface KeepWarmLane {
  /** Distinct, letters and digits. */
  readonly id: string;
  readonly host: string;
  readonly pop: string;
  /** Whether there is one at this place of a list whose length is known at the deploy only. Absent: there is. */
  readonly condition?: CfnCondition;
}

/** A list in a parameter may name so many: each has an alarm, and a template has a fixed number of those. */
export const MAX_LISTED_POPS = 30;

/** The POPs of routes that are known when the template is made: each host and POP once. */
export function lanesOfRoutes(routes: readonly RouteInput[]): readonly KeepWarmLane[] {
  const lanes = new Map<string, KeepWarmLane>();
  for (const { host, route } of routes) {
    for (const pop of route.pops) {
      const id = `${host} ${pop}`.replaceAll(/[^A-Za-z0-9]/g, (char) => `x${char.charCodeAt(0).toString(16)}`);
      lanes.set(id, { id, host, pop });
    }
  }
  return [...lanes.values()];
}

/** A lane for each place of the parameter's list, there or not. Behind its end the list is filled up with empty names. */
export function lanesOfParameter(scope: Construct, host: string, popList: CfnParameter): readonly KeepWarmLane[] {
  const names = Fn.split(',', Fn.join(',', [Fn.join(',', popList.valueAsList), ','.repeat(MAX_LISTED_POPS)]), 2 * MAX_LISTED_POPS);
  return names.slice(0, MAX_LISTED_POPS).map((pop, place) => {
    const id = `Pop${place}`;
    const condition = new CfnCondition(scope, `${id}IsListed`, { expression: Fn.conditionNot(Fn.conditionEquals(pop, '')) });
    return { id, host, pop, condition };
  });
}
