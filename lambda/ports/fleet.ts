import { AutoScalingClient } from '@aws-sdk/client-auto-scaling';
import { type AsgFleet, createAsgFleet } from '../../adapters/aws/asg-fleet.ts';
import type { FunctionConfig } from '../function-config.ts';

export function openFleet({ group }: FunctionConfig<'group'>): AsgFleet {
  const { groupName, maximum, onDemandGroupName, onDemandFallback } = group;
  const onDemand = onDemandGroupName === null ? {} : { onDemand: { groupName: onDemandGroupName, afterMinutes: onDemandFallback } };
  return createAsgFleet(new AutoScalingClient(), { groupName, maximum, ...onDemand });
}
