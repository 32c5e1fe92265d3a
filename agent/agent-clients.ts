import { AutoScalingClient } from '@aws-sdk/client-auto-scaling';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { SQSClient } from '@aws-sdk/client-sqs';

/** AWS as an agent calls it. */
export interface AgentClients {
  readonly tables: DynamoDBClient;
  readonly lists: S3Client;
  readonly queue: SQSClient;
  readonly group: AutoScalingClient;
}

/** Each connection with TLS costs about 100 KB; calls beyond this many wait for one another. */
const MAX_SOCKETS = 16;
const CONNECT_TIMEOUT_MS = 3000;
const REQUEST_TIMEOUT_MS = 10_000;
/** Longer than the longest poll. */
const POLL_TIMEOUT_MS = 30_000;
/** Around each of which the agent tries again: together they outlast what passes by itself. */
const MAX_ATTEMPTS = 4;

/** Credentials are those of the instance's role, or of the environment. */
export function createAgentClients(region: string): AgentClients {
  const agent = { keepAlive: true, maxSockets: MAX_SOCKETS };
  const handler = (requestTimeout: number) => ({
    httpAgent: agent,
    httpsAgent: agent,
    connectionTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout,
    throwOnRequestTimeout: true,
  });
  const common = { region, maxAttempts: MAX_ATTEMPTS };
  return {
    tables: new DynamoDBClient({ ...common, requestHandler: handler(REQUEST_TIMEOUT_MS) }),
    lists: new S3Client({ ...common, requestHandler: handler(REQUEST_TIMEOUT_MS) }),
    queue: new SQSClient({ ...common, requestHandler: handler(POLL_TIMEOUT_MS) }),
    group: new AutoScalingClient({ ...common, requestHandler: handler(REQUEST_TIMEOUT_MS) }),
  };
}
