import { DeleteMessageCommand, ReceiveMessageCommand } from '@aws-sdk/client-sqs';
import type { DynamoDBBatchResponse, DynamoDBRecord } from 'aws-lambda';
import { join } from 'node:path';
import { createDynamoRequestStore } from '../adapters/aws/dynamo-request-store.ts';
import { systemClock } from '../core/clock.ts';
import { type AgentProcess, startAgentProcess } from '../testing/agent-process.ts';
import { type BenchEdge, startBenchEdge } from './edge-setup.ts';
import { askApi, type CostFunctions, createCostFunctions } from './cost-functions.ts';
import { createLanes } from './cost-lanes.ts';
import type { CostMeter } from './cost-meter.ts';
import type { CostStage } from './cost-stage.ts';
import { openTableStream, repeat, type TableStream } from './cost-streams.ts';
import type { SynthesizedStack } from './cost-template.ts';
import { addUsage, NO_USAGE, type Usage } from './cost-usage.ts';
import { startDelayProxy } from './start-delay-proxy.ts';

export interface CostScene {
  readonly stage: CostStage;
  readonly meter: CostMeter;
  readonly stack: SynthesizedStack;
  /** Temporary. */
  readonly dir: string;
}

/** What one request took, by who took it: the functions and the agents. */
export interface MeasuredRun {
  readonly targets: number;
  readonly tasks: number;
  /** Targets a second from the first task on the queue to the request's end: what is paid by the time depends on it. */
  readonly rate: number;
  readonly usage: ReadonlyMap<string, Usage>;
  /** Calls by caller and name. */
  readonly calls: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** Of the status calls alone, which are in no other figure. */
  readonly watching: { readonly calls: number; readonly usage: Usage };
  readonly metrics: ReadonlySet<string>;
  readonly storedObjects: number;
  readonly storedItems: number;
}

export interface RunSize {
  readonly urls: number;
  readonly pops: number;
}

const OBJECT_BYTES = 1024;
/** What lies between a function and a far POP: sizing waits for that, and is paid by the time. */
const ROUND_TRIP_MS = 100;
/** Of one m6g.large, the default type. */
const AGENTS = 2;
const WATCH_EVERY_MS = 2000;
const LOOK_EVERY_MS = 50;
const WITHIN_MS = 600_000;
const AGENT_LOG_EVENT_BYTES = 26;
const WATCHER = 'watching';
const AGENT = 'agents';

/** Functions that size wait for the POPs like in the world; agents are not measured here, and need not. */
function edgeVariables({ edge }: BenchEdge, port: number): Readonly<Record<string, string>> {
  return {
    PREWARM_DNS_SERVER: edge.dnsServer,
    PREWARM_EDGE_PORT: String(port),
    PREWARM_EDGE_HTTP_PORT: String(edge.httpPort),
    PREWARM_CA_FILE: edge.caFile,
    PREWARM_ALLOW_PRIVATE_ADDRESSES: 'true',
  };
}

function startAgents({ stage, stack, dir }: CostScene, edge: BenchEdge, endpoint: string): AgentProcess[] {
  return Array.from({ length: AGENTS }, (_, index) =>
    startAgentProcess(stack.agentBundle, {
      PATH: process.env['PATH'],
      ...stage.variablesAt(endpoint),
      AWS_EC2_METADATA_SERVICE_ENDPOINT: stage.metadata.endpoint,
      PREWARM_THREAD_NUMBER: '6',
      PREWARM_AGENT_NUMBER: String(index + 1),
      PREWARM_BUSY_DIR: join(dir, 'busy'),
      PREWARM_CA_FILE: edge.edge.caFile,
      PREWARM_ALLOW_PRIVATE_ADDRESSES: 'true',
    }),
  );
}

const statusIn = (image: NonNullable<DynamoDBRecord['dynamodb']>['NewImage']) => image?.['status']?.S;

/** The filters of the stream's two readers, as the stack sets them. */
function readerOf({ eventName, dynamodb }: DynamoDBRecord): string | null {
  if (eventName === 'INSERT') return 'get-size';
  const [from, to] = [statusIn(dynamodb?.OldImage), statusIn(dynamodb?.NewImage)];
  return eventName === 'MODIFY' && to === 'QUEUEING' && from !== 'QUEUEING' ? 'task' : null;
}

async function handleRequests(functions: CostFunctions, stream: TableStream): Promise<void> {
  for (const record of await stream.take()) {
    const name = readerOf(record);
    if (name === null) continue;
    const { batchItemFailures } = await (await functions.get(name)).invoke<DynamoDBBatchResponse>({ Records: [record] });
    if (batchItemFailures.length > 0) throw new Error(`${name} failed at a record`);
  }
}

/** Lambda's own receiving and deleting is on the account's bill: one call each for a message. Its empty polls go on at rest, and are not here. */
async function handleQueue({ stage }: CostScene, functions: CostFunctions, name: string, url: string): Promise<Partial<Usage>> {
  const { Messages = [] } = await stage.sqs.send(new ReceiveMessageCommand({ QueueUrl: url }));
  for (const { Body: body = '', MessageId: messageId, ReceiptHandle } of Messages) {
    const record = { messageId, body, eventSource: 'aws:sqs', attributes: {}, messageAttributes: {} };
    const { batchItemFailures } = await (await functions.get(name)).invoke<DynamoDBBatchResponse>({ Records: [record] });
    if (batchItemFailures.length > 0) throw new Error(`${name} failed at a message`);
    await stage.sqs.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle }));
  }
  return { sqsRequests: 2 * Messages.length };
}

/** Plays what wakes functions in AWS, until told to stop. */
async function playTriggers(scene: CostScene, functions: CostFunctions, isOver: () => boolean, addPolls: (usage: Partial<Usage>) => void) {
  const { stage, meter, stack } = scene;
  const requests = await openTableStream(stage.account, stage.dynamo, stage.tables.requests);
  const tasks = await openTableStream(stage.account, stage.dynamo, stage.tables.tasks);
  // What an earlier request left there.
  await Promise.all([requests.take(), tasks.take()]);
  const lanes = createLanes(
    stack.aggregateReading,
    (lane) => async (Records) => (await functions.get('aggregate', 'aggregate', lane)).invoke({ Records }),
  );
  const report = async () => {
    for (const detail of meter.takeEvents()) await (await functions.get('report')).invoke({ id: `event-${Date.now()}`, detail });
  };
  const addTasks = async () => lanes.add((await tasks.take()).filter(({ eventName }) => eventName === 'INSERT'));
  const readQueue = (name: string, url: string) => async () => addPolls(await handleQueue(scene, functions, name, url));
  const playing = Promise.all([
    repeat(LOOK_EVERY_MS, isOver, () => handleRequests(functions, requests)),
    repeat(LOOK_EVERY_MS, isOver, readQueue('get-size', stage.queues.sizes)),
    repeat(LOOK_EVERY_MS, isOver, readQueue('task', stage.queues.plans)),
    repeat(LOOK_EVERY_MS, isOver, addTasks),
    repeat(LOOK_EVERY_MS, isOver, report),
  ]).then(async () => {
    await lanes.drain();
    await report();
  });
  return { playing };
}

interface Finished {
  readonly id: string;
  readonly watched: number;
}

/** Posts the request and asks for its status as a waiting client does, until it is over. */
async function warm(functions: CostFunctions, { urls, pops, edge }: BenchEdge, onPosted: () => void): Promise<Finished> {
  const body = { url_list: urls, pops, cf_domain: edge.host, instance_count: 1 };
  const posted = await askApi(await functions.get('api'), '/prewarm', body);
  if (posted.statusCode !== 200) throw new Error(`refused: ${JSON.stringify(posted.body)}`);
  onPosted();
  const id = String(posted.body['request_id']);
  const watcher = await functions.get('api', WATCHER);
  const deadline = Date.now() + WITHIN_MS;
  let watched = 0;
  let last: Readonly<Record<string, unknown>> = {};
  await repeat(
    WATCH_EVERY_MS,
    () => last['status'] === 'FINISHED' || Date.now() > deadline,
    async () => {
      last = (await askApi(watcher, `/prewarm?req_id=${id}`)).body;
      watched += 1;
    },
  );
  const targets = urls.length * pops.length;
  if (last['download_count'] !== targets) throw new Error(`not all of ${targets} targets were done: ${JSON.stringify(last)}`);
  return { id, watched };
}

async function secondsOf({ dynamo, tables }: CostStage, id: string): Promise<number> {
  const row = await createDynamoRequestStore({ client: dynamo, tables, clock: systemClock }).get(id);
  return ((row?.endedAt ?? Number.NaN) - (row?.queuedAt ?? Number.NaN)) / 1000;
}

const logBytesOf = (agents: readonly AgentProcess[]) =>
  agents.flatMap((agent) => agent.lines()).reduce((sum, line) => sum + JSON.stringify(line).length + 1 + AGENT_LOG_EVENT_BYTES, 0);

/** One request from its POST to its report: the functions' bundles, the bundled agents, and real downloads. Rejects unless every target was done. */
export async function runCostRequest(scene: CostScene, size: RunSize): Promise<MeasuredRun> {
  const { stage, meter, stack } = scene;
  const edge = await startBenchEdge({ ...size, bytes: OBJECT_BYTES }, 'cold');
  const far = await startDelayProxy(edge.edge, ROUND_TRIP_MS);
  const before = await stage.stored();
  const functions = createCostFunctions({
    meter,
    stack,
    variablesOf: (name, endpoint) => ({
      ...stage.variablesAt(endpoint),
      ...edgeVariables(edge, name === 'get-size' ? far.port : edge.edge.edgePort),
    }),
  });
  let agents: AgentProcess[] = [];
  let polls = NO_USAGE;
  let over = false;
  try {
    const endpoint = await meter.open(AGENT);
    const { playing } = await playTriggers(
      scene,
      functions,
      () => over,
      (usage) => {
        polls = addUsage(polls, usage);
      },
    );
    const startNow = () => {
      agents = startAgents(scene, edge, endpoint);
    };
    const finished = await Promise.race([
      warm(functions, edge, startNow),
      playing.then(() => Promise.reject(new Error('the triggers ended'))),
    ]);
    over = true;
    await playing;
    if ((await stage.capacity()) !== 0) throw new Error('the fleet was not taken down');
    for (const agent of agents) agent.kill('SIGTERM');
    await Promise.all(agents.map((agent) => agent.ended()));
    const stored = await stage.stored();
    return {
      ...gather(functions, meter, { logBytes: logBytesOf(agents) }, polls, finished),
      targets: size.urls * size.pops,
      tasks: meter.read(AGENT).calls.get('s3 PUT') ?? 0,
      rate: (size.urls * size.pops) / (await secondsOf(stage, finished.id)),
      storedObjects: stored.objects - before.objects,
      storedItems: stored.items - before.items,
    };
  } finally {
    over = true;
    for (const agent of agents) agent.kill('SIGKILL');
    await functions.stop();
    await far.close();
    await edge.edge.close();
  }
}

function gather(functions: CostFunctions, meter: CostMeter, ofAgents: Partial<Usage>, polls: Usage, { watched }: Finished) {
  const usage = new Map<string, Usage>();
  const calls = new Map<string, ReadonlyMap<string, number>>();
  for (const caller of functions.callers()) {
    if (caller === WATCHER) continue;
    usage.set(caller, addUsage(functions.usage(caller), caller === 'api' ? { apiCalls: 1 } : {}));
    calls.set(caller, meter.read(caller).calls);
  }
  usage.set('agents', addUsage(meter.read(AGENT).usage, ofAgents));
  calls.set('agents', meter.read(AGENT).calls);
  if (polls.sqsRequests > 0) usage.set("Lambda's own polls", polls);
  return {
    usage,
    calls,
    watching: { calls: watched, usage: addUsage(functions.usage(WATCHER), { apiCalls: watched }) },
    metrics: functions.metrics(),
  };
}
