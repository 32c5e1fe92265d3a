import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { AutoScalingClient } from '@aws-sdk/client-auto-scaling';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { SQSClient } from '@aws-sdk/client-sqs';
import { setScaleInProtection } from '../adapters/aws/asg-group.ts';
import { createDynamoRequestStore } from '../adapters/aws/dynamo-request-store.ts';
import { createS3ListStore } from '../adapters/aws/s3-list-store.ts';
import { createS3HeaderReader } from '../adapters/aws/s3-viewer-headers.ts';
import { createSqsQueue } from '../adapters/aws/sqs-queue.ts';
import { createUndiciDownloader } from '../adapters/http/undici-downloader.ts';
import { systemClock } from '../core/clock.ts';
import { retry, type RetryPlan } from '../core/retry.ts';
import type { AgentPorts } from '../core/ports/ports.ts';
import type { Queue } from '../core/ports/queue.ts';
import { findTaskFaults, type TaskMessage } from '../core/work/task.ts';
import { type Agent, type AgentObserver, createAgent } from '../core/work/agent.ts';
import { popCatalogue } from '../data/catalogue.ts';
import { type AgentLog, createAgentLog, createTaskFigures } from './agent-log.ts';
import { type AwsAgentConfig, loadAwsAgentConfig } from './agent-config.ts';
import { createBusyMarkers, createScaleInProtection } from './scale-in-protection.ts';
import { createInstanceMetadata, type InstanceMetadata, untilOffDuty, untilOnDuty } from './instance-metadata.ts';
import { createLoadMeter } from './load-meter.ts';

/** AWS as an agent calls it. */
interface AgentClients {
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
function createAgentClients(region: string): AgentClients {
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

/** An agent that has to leave waits for the answer; an idle one makes twelve calls a minute. */
const RECEIVE_WAIT_MS = 5000;
/** Tasks end some times a second: what ends within this is deleted in one call. Until then each is recorded already, and leased. */
const DELETE_GATHER_MS = 1000;
/** Each report of provisional progress is a write per request. */
const REPORT_MS = 10_000;
const FIGURES_EVERY_MS = 60_000;
const METADATA_TRIES = 10;
const METADATA_PAUSE_MS = 1000;
/** What is not given back by then comes back when its lease is over. */
const HAND_BACK_DEADLINE_MS = 25_000;
const LAST_MOMENT_MS = 2000;

const write = (line: string) => void process.stdout.write(line);

/** At boot the service may take a moment. Null: the signal was aborted first. Throws PrewarmError `api_failed`. */
async function readInstanceId(metadata: InstanceMetadata, leaving: AbortSignal): Promise<string | null> {
  const plan: RetryPlan = { tries: METADATA_TRIES, pauseMs: () => METADATA_PAUSE_MS, mayPass: () => !leaving.aborted };
  try {
    return await retry(systemClock, plan, () => metadata.instanceId());
  } catch (error) {
    if (leaving.aborted) return null;
    throw error;
  }
}

/** Leaves messages that are no tasks to the queue's redrive policy, so that they stop no agent. */
function onlyTasks(queue: Queue<TaskMessage>, log: AgentLog): Queue<TaskMessage> {
  return {
    ...queue,
    async receive(max, waitMs, signal) {
      const leases = await queue.receive(max, waitMs, signal);
      const strange = leases.filter(({ message }) => findTaskFaults(message).length > 0);
      if (strange.length > 0) log.info({ count: strange.length }, 'strange_messages');
      return leases.filter((lease) => !strange.includes(lease));
    },
  };
}

function createPorts(config: AwsAgentConfig, clients: AgentClients, log: AgentLog): AgentPorts {
  const { bucket, queueUrl: url, leaseMs, allowPrivateAddresses, ca } = config;
  const queue = createSqsQueue<TaskMessage>(clients.queue, {
    url,
    leaseMs,
    fairKey: ({ requestId }) => requestId,
    deleteGatherMs: DELETE_GATHER_MS,
  });
  return {
    store: createDynamoRequestStore({ client: clients.tables, tables: config.tables, clock: systemClock }),
    lists: createS3ListStore(clients.lists, { bucket }),
    viewerHeaders: createS3HeaderReader({ client: clients.lists, bucket }),
    tasks: onlyTasks(queue, log),
    downloader: createUndiciDownloader({ allowPrivateAddresses, ca }),
    clock: systemClock,
    sameCity: (a, b) => popCatalogue().sameCity(a, b),
  };
}

interface Work {
  readonly agent: Agent;
  /** To be called after the agent's end. */
  readonly leave: () => Promise<void>;
}

function prepareWork(config: AwsAgentConfig, instanceId: string, log: AgentLog): Work {
  const clients = createAgentClients(config.region);
  const { groupName, leaseMs, beatMs, floor } = config;
  const protection = createScaleInProtection(
    createBusyMarkers(config.busyDir, config.agentNumber),
    (on) => setScaleInProtection(clients.group, { groupName, instanceId }, on),
    log,
    config.idleMs,
  );
  const figures = createTaskFigures(log);
  const timer = setInterval(() => figures.report(), FIGURES_EVERY_MS);
  const observer: AgentObserver = {
    ...figures,
    held(tasks) {
      figures.held(tasks);
      protection.held(tasks);
    },
  };
  const agent = createAgent(createPorts(config, clients, log), {
    agentId: `${instanceId}-${process.pid}`,
    leaseMs,
    beatMs,
    reportMs: REPORT_MS,
    receiveWaitMs: RECEIVE_WAIT_MS,
    concurrency: null,
    floor,
    random: Math.random,
    load: createLoadMeter(),
    observer,
  });
  return {
    agent,
    leave: () => {
      clearInterval(timer);
      figures.report();
      return protection.leave();
    },
  };
}

/** Gives back the other tasks of an agent that failed at one of them and cannot go on. */
async function giveBackOthers(agent: Agent, log: AgentLog): Promise<void> {
  agent.stop().catch((error: unknown) => log.warn({ err: error }, 'leaving_after_failure'));
  await sleep(LAST_MOMENT_MS);
}

async function giveBack({ agent, leave }: Work): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error('not every task could be given back in time; the others come back when their leases end')),
    HAND_BACK_DEADLINE_MS,
  );
  await Promise.race([agent.stop().then(leave), late]);
  clearTimeout(timer);
}

/** Works tasks until a signal or the instance's metadata asks it to leave, then gives back what it holds. */
async function workUntilLeaving(config: AwsAgentConfig, log: AgentLog, leaving: AbortSignal): Promise<void> {
  const metadata = createInstanceMetadata(config.metadataEndpoint);
  const instanceId = await readInstanceId(metadata, leaving);
  if (instanceId === null) return;
  await untilOnDuty(metadata, log, leaving);
  if (leaving.aborted) return;
  const work = prepareWork(config, instanceId, log);
  log.info({ instance: instanceId, agent: config.agentNumber, region: config.region, floor: config.floor }, 'working');
  let why: string | null;
  try {
    why = await Promise.race([untilOffDuty(metadata, log, leaving), work.agent.run().then(() => null)]);
  } catch (error) {
    await giveBackOthers(work.agent, log);
    throw error;
  }
  log.info({ why: why ?? String(leaving.reason) }, 'leaving');
  await giveBack(work);
}

/** Runs the agent's process on an EC2 instance. It exits with 0 when it was asked to leave, and with 1 on what it cannot recover from. It logs JSON lines to standard output. */
export async function runAwsAgent(): Promise<void> {
  const log = createAgentLog(write, { pid: process.pid });
  const fail = (error: unknown) => {
    log.error({ err: error }, 'failed');
    process.exit(1);
  };
  process.on('uncaughtException', fail);
  const leaving = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => leaving.abort(signal));
  const startedAt = performance.now();
  try {
    await workUntilLeaving(loadAwsAgentConfig(process.env), log, leaving.signal);
  } catch (error) {
    fail(error);
  }
  log.info({ seconds: Math.round((performance.now() - startedAt) / 1000) }, 'stopped');
  process.exit(0);
}
