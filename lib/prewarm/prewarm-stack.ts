import { type App, Stack } from 'aws-cdk-lib';
import { AgentNetwork } from './agent-network.ts';
import { composeSystem } from './compose-system.ts';
import type { ApiAccess } from '../shared/deploy-context.ts';
import { createStackParameters } from './stack-parameters.ts';
import { createZones } from '../shared/zones.ts';

export interface PrewarmStackProps {
  /** What the parameter `envName` is unless it is set. */
  readonly defaultEnvName: string;
  /** Whether lists, results and rows outlive the stack. */
  readonly retainData: boolean;
  readonly access: ApiAccess;
}

const ZONES =
  'One to six availability zones for the agents, as in eu-west-1a,eu-west-1b; empty: two of the region. Zones may be added at the end later; one that is in use keeps its place';

/** The system in a VPC of its own. */
export class PrewarmStack extends Stack {
  constructor(app: App, id: string, { defaultEnvName, retainData, access }: PrewarmStackProps) {
    super(app, id, { description: 'Pre-warms CloudFront: API, functions and agents, in a VPC of their own' });
    composeSystem(this, {
      parameters: createStackParameters(this, defaultEnvName),
      placement: new AgentNetwork(this, 'Network', createZones(this, ZONES)).placement,
      retainData,
      access,
    });
  }
}
