import { PrewarmError } from '../../core/errors.ts';
import type { RequestStore } from '../../core/ports/request-store.ts';
import { isActive } from '../../core/request/request.ts';
import { fromItem, toItem } from './dynamo-attributes.ts';
import type { DynamoCalls } from './dynamo-calls.ts';
import { listedAt, readRequest, readSummary } from './dynamo-rows.ts';
import { ACTIVE_PARTITION, BY_CREATION, type DynamoTableNames, LISTED } from '../../deployment/tables.ts';

type Reading = Pick<RequestStore, 'get' | 'list' | 'listActive'>;

export function readingMethods(calls: DynamoCalls, tables: DynamoTableNames): Reading {
  const getAll = async (doing: string, ids: readonly string[]) => {
    const found = await calls.getAll(
      doing,
      ids.map((id) => ({ table: tables.requests, key: toItem({ id }) })),
    );
    return found.map(({ item }) => readSummary(item));
  };

  return {
    get: async (id) => {
      const item = await calls.get(`reading request ${id}`, { table: tables.requests, key: toItem({ id }) });
      return item === null ? null : readRequest(item).row;
    },
    list: async (limit, after) => {
      const page = await calls.query('listing requests', pageOf(tables.requests, limit, after), limit + 1);
      const keys = page.map((item) => fromItem(item) as { id: string; listedAt: string });
      const shown = keys.slice(0, limit);
      const requests = await getAll(
        'listing requests',
        shown.map(({ id }) => id),
      );
      const last = shown.at(-1);
      return {
        requests: requests.sort((a, b) => (listedAt(a) < listedAt(b) ? 1 : -1)),
        next: keys.length > limit && last !== undefined ? positionOf(last.listedAt) : null,
      };
    },
    listActive: async () => {
      const doing = 'listing the active requests';
      const query = { KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: toItem({ ':pk': ACTIVE_PARTITION }) };
      const items = await calls.query(doing, { TableName: tables.pops, ConsistentRead: true, ...query });
      const rows = await getAll(
        doing,
        items.map((item) => (fromItem(item) as { sk: string }).sk),
      );
      return rows.filter(({ status }) => isActive(status)).sort((a, b) => (listedAt(a) < listedAt(b) ? -1 : 1));
    },
  };
}

function pageOf(table: string, limit: number, after: string | undefined) {
  const before = after === undefined ? {} : { ':before': parsePosition(after) };
  return {
    TableName: table,
    IndexName: BY_CREATION,
    KeyConditionExpression: after === undefined ? 'listed = :listed' : 'listed = :listed AND listedAt < :before',
    ExpressionAttributeValues: toItem({ ':listed': LISTED, ...before }),
    ScanIndexForward: false,
    Limit: limit + 1,
  };
}

/** As every store tells it: `<createdAt>/<id>`. */
function positionOf(listed: string): string {
  const slash = listed.indexOf('/');
  return `${Number(listed.slice(0, slash))}${listed.slice(slash)}`;
}

function parsePosition(after: string): string {
  const slash = after.indexOf('/');
  const createdAt = Number(after.slice(0, slash));
  if (slash < 1 || !Number.isFinite(createdAt)) {
    throw new PrewarmError('invalid_input', `${JSON.stringify(after)} is no page of the list; take the one a list answered as next`);
  }
  return listedAt({ createdAt, id: after.slice(slash + 1) });
}
