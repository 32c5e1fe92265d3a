import { createRoute, z } from '@hono/zod-openapi';
import { formatTimestamp } from '../../core/clock.ts';
import { InvalidInput, PrewarmError } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import { OPERATOR_CLAIM_LASTS_MS, operatorAgents } from '../../core/request/operator-claim.ts';
import { isActive } from '../../core/request/request.ts';
import type { Steps } from '../../core/steps.ts';
import { instancesChangedSchema, instancesDetailSchema, instancesSchema } from './answer-schemas.ts';
import { type ApiApp, failures, keyed, ok, queryOf } from './open-api-app.ts';
import { type ApiDeps, findRequest, mayKnow } from './api-deps.ts';
import type { ReadBody } from './read-body.ts';
import { MAX_AGENTS } from '../../core/request/request-input.ts';
import { type AgentView, viewFleet } from '../../core/report/fleet-view.ts';
import { remember } from './remember.ts';

/** Auto Scaling takes few calls a second of an account, and dashboards poll. */
const INSPECTION_LASTS_MS = 5000;

type InstancesDetail = z.input<typeof instancesDetailSchema>;

const BYTES_PER_MB = 1e6;
const twoDecimals = (value: number) => Math.round(value * 100) / 100;
const timestampOf = (at: number | null) => (at === null ? null : formatTimestamp(at));

function describeAgent(agent: AgentView): InstancesDetail['agents'][number] {
  return {
    agent_id: agent.id,
    instance_id: agent.instanceId,
    state: agent.state,
    type: agent.type,
    zone: agent.zone,
    since: timestampOf(agent.since),
    in_flight: agent.inFlight,
    targets_per_second: twoDecimals(agent.targetsPerSecond),
    mb_per_second: twoDecimals(agent.bytesPerSecond / BYTES_PER_MB),
    last_heartbeat: timestampOf(agent.lastHeartbeat),
  };
}

/** The fleet as `GET /instances?detail=1` shows it to a key, which sees the claims of those requests that it may know of. */
function createReadFleet(deps: ApiDeps): (keyName: string) => Promise<InstancesDetail> {
  const { store, fleet, clock } = deps;
  const inspect = remember(clock, INSPECTION_LASTS_MS, () => fleet.inspect());

  return async (keyName) => {
    const [inspection, active, operator] = await Promise.all([inspect(), store.listActive(), store.getOperatorClaim()]);
    const figures = (await Promise.all(active.map(({ id }) => store.listProvisional(id)))).flat();
    const now = clock.now();
    const { running, pending, agents } = viewFleet(inspection, figures, now);
    const claimed = operatorAgents(operator, now);
    const failed = inspection.lastFailedActivity;
    return {
      status: 'success',
      timestamp: formatTimestamp(now),
      message: 'query success',
      desiredcapacity: inspection.capacity,
      maximum: fleet.maximum,
      in_service: running,
      pending,
      warm_pool: null,
      on_demand: inspection.onDemand,
      claims: {
        operator: operator === null || claimed === 0 ? null : { agents: claimed, lapses_at: formatTimestamp(operator.lapsesAt) },
        requests: active.filter((row) => mayKnow(deps, row, keyName)).map(({ id, agents: claim }) => ({ request_id: id, agents: claim })),
      },
      last_failed_activity: failed === null ? null : { at: formatTimestamp(failed.at), message: failed.message },
      agents: agents.map(describeAgent),
    };
  };
}

const bodySchema = z
  .object({
    req_id: z
      .string('write the id of a request')
      .nullish()
      .openapi({ description: 'Whose claim is changed; without it, the claim of the operator is' }),
    DesiredCapacity: z
      .int(`write a whole number from 0 to ${MAX_AGENTS}`)
      .min(0, `write a whole number from 0 to ${MAX_AGENTS}`)
      .max(MAX_AGENTS, `write a whole number from 0 to ${MAX_AGENTS}`)
      .nullish()
      .openapi({ description: 'Agents: from 1 with req_id; 0 removes the claim of the operator. May be left out with force_stop' }),
    force_stop: z.boolean('write true or false').nullish().openapi({ description: 'End the request of req_id as STOPPED' }),
  })
  .openapi('InstancesBody');

type InstancesBody = z.output<typeof bodySchema>;

const readRoute = createRoute({
  method: 'get',
  path: '/instances',
  operationId: 'getInstances',
  summary: 'How many agents are wanted, and with detail what they do',
  tags: ['instances'],
  request: {
    query: queryOf({
      detail: z
        .enum(['0', '1'], 'write 1 to see the agents and the claims, or leave it out')
        .optional()
        .openapi({ description: '1: the agents, the claims and what keeps instances from coming, too' }),
    }),
  },
  responses: {
    ...ok(instancesSchema.or(instancesDetailSchema), 'The desired capacity; with detail=1 the whole fleet'),
    ...failures(400),
    ...keyed,
  },
});

const changeRoute = createRoute({
  method: 'post',
  path: '/instances',
  operationId: 'changeInstances',
  summary: 'Change how many agents work',
  description: `With req_id the claim of that request. Without it the claim of the operator, which lapses after 60 minutes. The capacity is the sum of all claims, up to the maximum.`,
  tags: ['instances'],
  request: { body: { required: true, content: { 'application/json': { schema: bodySchema, example: { DesiredCapacity: 1 } } } } },
  responses: { ...ok(instancesChangedSchema, 'The capacity that resulted'), ...failures(400, 404, 409, 413), ...keyed },
});

function* parseBody(body: unknown): Steps<InstancesBody> {
  yield;
  const parsed = bodySchema.safeParse(body);
  if (parsed.success) {
    const { data } = parsed;
    if ((data.DesiredCapacity ?? null) === null && data.force_stop !== true) {
      throw new InvalidInput([inputFault('DesiredCapacity', '', `is missing; write a whole number from 0 to ${MAX_AGENTS}`)]);
    }
    return data;
  }
  const given = (typeof body === 'object' && body !== null ? body : {}) as Readonly<Record<string, unknown>>;
  throw new InvalidInput(
    parsed.error.issues.map(({ path, message }) => {
      const field = String(path[0] ?? 'body');
      return path.length === 0
        ? inputFault(field, body, 'write a JSON object: {"DesiredCapacity": 1}')
        : inputFault(field, given[field], message);
    }),
  );
}

async function changeRequest(deps: ApiDeps, id: string, { DesiredCapacity: agents, force_stop: stop }: InstancesBody, by: string) {
  const row = await findRequest(deps, id, 'req_id', by);
  if (stop === true) {
    await deps.pipeline.end(row.id, 'STOPPED', `stopped by ${by}`);
    return;
  }
  if ((agents ?? 0) < 1) {
    const message = `write a whole number from 1 to ${MAX_AGENTS}; to end the request, pass force_stop: true`;
    throw new InvalidInput([inputFault('DesiredCapacity', agents, message)]);
  }
  if (!isActive(row.status) || !(await deps.store.setRequestClaim(row.id, agents ?? 1))) {
    throw new PrewarmError(
      'conflict',
      `req_id: request ${row.id} has ended, so it needs no instances; leave req_id out to keep some ready`,
    );
  }
}

async function change(deps: ApiDeps, body: InstancesBody, by: string): Promise<void> {
  const id = body.req_id ?? null;
  if (id !== null) return changeRequest(deps, id, body, by);
  if (body.force_stop === true)
    throw new InvalidInput([inputFault('req_id', '', 'is missing; force_stop needs the id of the request to end')]);
  const agents = body.DesiredCapacity ?? 0;
  // A claim of none, not no claim: the row tells when it was taken back, and the instances of it are given time to go.
  return deps.store.setOperatorClaim({ agents, lapsesAt: deps.clock.now() + OPERATOR_CLAIM_LASTS_MS });
}

export function addInstanceRoutes(app: ApiApp, deps: ApiDeps, readBody: ReadBody): void {
  const timestamp = () => formatTimestamp(deps.clock.now());

  const readFleet = createReadFleet(deps);

  app.openapi(readRoute, async (c) => {
    if (c.req.valid('query').detail === '1') return c.json(await readFleet(c.get('keyName')), 200);
    const capacity = await deps.fleet.getCapacity();
    const answer = { status: 'success' as const, timestamp: timestamp(), message: 'query success' as const, desiredcapacity: capacity };
    return c.json(answer, 200);
  });

  app.openAPIRegistry.registerPath(changeRoute);
  app.openapi({ ...changeRoute, request: {}, hide: true }, async (c) => {
    const { value } = await readBody(c.req.raw, parseBody);
    await change(deps, value, c.get('keyName'));
    const capacity = await deps.pipeline.reconcileFleet();
    const message = `Auto Scaling Group ${deps.groupName} updated to Desired Capacity: ${capacity}`;
    return c.json({ status: 'success' as const, timestamp: timestamp(), message }, 200);
  });
}
