import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { Asset } from 'aws-cdk-lib/aws-s3-assets';
import type { Construct } from 'constructs';
import { onGroups, onQueue, onAgentRows, onTable, readObjects, type SystemResources, writeResults } from './permissions.ts';
import { explainWildcards } from '../shared/wildcard-reasons.ts';

export interface AgentRoleProps {
  readonly resources: SystemResources;
  /** The program, which a new instance fetches. */
  readonly bundle: Asset;
  /** Where the instances' journals go. */
  readonly logGroup: LogGroup;
}

/** The role of the agents' instances: what an agent does, its log, and Session Manager for people, who have no SSH. */
export function createAgentRole(scope: Construct, id: string, { resources, bundle, logGroup }: AgentRoleProps): Role {
  const { tables, bucket, queues, envName } = resources;
  const role = new Role(scope, id, {
    assumedBy: new ServicePrincipal('ec2.amazonaws.com'),
    description: `What the agents of the environment ${envName} may do`,
  });
  const statements = [
    onTable(tables.requests, 'GetItem'),
    onAgentRows(tables.pops, 'PutItem', 'DeleteItem'),
    onTable(tables.tasks, 'GetItem', 'PutItem'),
    // Without `s3:ListBucket`: an agent may read headers whose name a task told it, and must not find out the names of others.
    readObjects(bucket, 'requests', 'headers'),
    writeResults(bucket),
    onQueue(queues.tasks, 'ReceiveMessage', 'DeleteMessage', 'ChangeMessageVisibility', 'SendMessage'),
    onGroups(scope, resources, 'SetInstanceProtection'),
    new PolicyStatement({ actions: ['s3:GetObject'], resources: [bundle.bucket.arnForObjects(bundle.s3ObjectKey)] }),
    new PolicyStatement({
      actions: ['logs:CreateLogStream', 'logs:PutLogEvents', 'logs:DescribeLogStreams'],
      resources: [logGroup.logGroupArn],
    }),
    new PolicyStatement({
      actions: [
        'ssm:UpdateInstanceInformation',
        'ssmmessages:CreateControlChannel',
        'ssmmessages:CreateDataChannel',
        'ssmmessages:OpenControlChannel',
        'ssmmessages:OpenDataChannel',
      ],
      resources: ['*'],
    }),
  ];
  for (const statement of statements) role.addToPolicy(statement);
  explainWildcards(role, statements);
  return role;
}
