import type { Clock } from '../../core/clock.ts';
import type { IdempotencyClaim, OperatorClaim, Provisional, RequestStore } from '../../core/ports/request-store.ts';
import { fromItem, toItem } from './dynamo-attributes.ts';
import type { DynamoCalls } from './dynamo-calls.ts';
import { expiresAt } from './dynamo-rows.ts';
import { AGENTS_PARTITION_PREFIX, type DynamoTableNames } from '../../deployment/tables.ts';

type Claims = Pick<RequestStore, 'putProvisional' | 'listProvisional' | 'getOperatorClaim' | 'setOperatorClaim' | 'claimIdempotencyKey'>;

const AGENT_PREFIX = 'agent#';
const agentsPartition = (requestId: string) => `${AGENTS_PARTITION_PREFIX}${requestId}`;
const CLAIM = 'claim';
const OPERATOR = toItem({ pk: 'operator', sk: CLAIM });

/** Rows of the POP table that are about agents. */
export function claimMethods(calls: DynamoCalls, { pops: table }: DynamoTableNames, clock: Clock): Claims {
  return {
    putProvisional: async ({ requestId, agentId, count, bytes, rate, byteRate = 0, inFlight = 0, updatedAt }) => {
      const doing = `telling what agent ${agentId} has finished of request ${requestId}`;
      const key = toItem({ pk: agentsPartition(requestId), sk: `${AGENT_PREFIX}${agentId}` });
      if (count === 0 && inFlight === 0) await calls.remove(doing, { table, key });
      else {
        const figures = { count, bytes, rate, byteRate, inFlight, updatedAt };
        await calls.put(doing, table, { ...key, ...toItem({ ...figures, expiresAt: expiresAt(updatedAt) }) });
      }
    },
    listProvisional: async (requestId) => {
      const items = await calls.query(`reading what agents have finished of request ${requestId}`, {
        TableName: table,
        ConsistentRead: true,
        KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
        ExpressionAttributeValues: toItem({ ':pk': agentsPartition(requestId), ':prefix': AGENT_PREFIX }),
      });
      return items.map((item) => {
        const row = fromItem(item) as unknown as Provisional & { sk: string };
        // Agents of earlier versions tell neither.
        const { sk, count, bytes, rate, byteRate = 0, inFlight = 0, updatedAt } = row;
        return { requestId, agentId: sk.slice(AGENT_PREFIX.length), count, bytes, rate, byteRate, inFlight, updatedAt };
      });
    },
    getOperatorClaim: async () => {
      const item = await calls.get("reading the operator's claim", { table, key: OPERATOR });
      if (item === null) return null;
      const { agents, lapsesAt } = fromItem(item) as unknown as OperatorClaim;
      return { agents, lapsesAt };
    },
    setOperatorClaim: async (claim) => {
      const doing = "setting the operator's claim";
      if (claim === null) await calls.remove(doing, { table, key: OPERATOR });
      else await calls.put(doing, table, { ...OPERATOR, ...toItem({ ...claim, expiresAt: expiresAt(claim.lapsesAt) }) });
    },
    claimIdempotencyKey: async (claim, at) => {
      const { key, fingerprint, requestId, lapsesAt } = claim;
      const item = toItem({ pk: `idempotency#${key}`, sk: CLAIM, fingerprint, requestId, lapsesAt, expiresAt: expiresAt(clock.now()) });
      const first = await calls.put('claiming an idempotency key', table, item, {
        ConditionExpression: 'attribute_not_exists(pk) OR lapsesAt <= :at',
        ExpressionAttributeValues: toItem({ ':at': at }),
      });
      if (first === null) return claim;
      const held = fromItem(first) as unknown as IdempotencyClaim;
      return { key, fingerprint: held.fingerprint, requestId: held.requestId, lapsesAt: held.lapsesAt };
    },
  };
}
