import { CustomResource, Duration } from 'aws-cdk-lib';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import type { AgentFleet } from './agent-fleet.ts';

export interface FleetReleaseProps {
  readonly fleet: AgentFleet;
  /** Called before the group is deleted; does nothing when this is made. */
  readonly releaser: IFunction;
}

/**
 * CloudFormation does not delete a group while one of its instances is protected from scaling in, as busy agents are: it would wait for
 * an hour, and fail. So a function takes all protection back first.
 */
export class FleetRelease extends Construct {
  constructor(scope: Construct, id: string, { fleet, releaser }: FleetReleaseProps) {
    super(scope, id);
    const release = new CustomResource(this, 'Release', {
      serviceToken: releaser.functionArn,
      resourceType: 'Custom::FleetRelease',
      serviceTimeout: Duration.minutes(5),
    });
    release.node.addDependency(fleet);
  }
}
