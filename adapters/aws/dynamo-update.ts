import type { TransactWriteItem, Update } from '@aws-sdk/client-dynamodb';
import { ACTIVE_STATUSES, isEnded, REQUEST_STATUSES } from '../../core/request/request.ts';
import { type Item, toAttribute, toItem } from './dynamo-rows.ts';

/** A condition, with `#name` for each attribute and `:name` for each value of its own. */
export interface Condition {
  readonly expression: string;
  readonly attributes: readonly string[];
  readonly values?: Readonly<Record<string, unknown>>;
}

const named = (statuses: readonly string[], name: string) =>
  Object.fromEntries(statuses.map((status, at): [string, string] => [`${name}${at}`, status]));
const active = named(ACTIVE_STATUSES, 'active');
const ended = named(REQUEST_STATUSES.filter(isEnded), 'ended');
const placeholders = (values: object) =>
  Object.keys(values)
    .map((name) => `:${name}`)
    .join(', ');

export const IS_ACTIVE: Condition = { expression: `#status IN (${placeholders(active)})`, attributes: ['status'], values: active };
export const HAS_NOT_ENDED: Condition = {
  expression: `NOT (#status IN (${placeholders(ended)}))`,
  attributes: ['status'],
  values: ended,
};

export function all(...conditions: readonly Condition[]): Condition {
  return {
    expression: conditions.map(({ expression }) => expression).join(' AND '),
    attributes: conditions.flatMap(({ attributes }) => attributes),
    values: Object.assign({}, ...conditions.map(({ values }) => values)) as Record<string, unknown>,
  };
}

export function equals(attribute: string, value: unknown): Condition {
  return { expression: `#${attribute} = :is_${attribute}`, attributes: [attribute], values: { [`is_${attribute}`]: value } };
}

/** What to change: attributes to set, null to remove, undefined to leave; and what to add to numbers. */
export interface Change {
  readonly set: Readonly<Record<string, unknown>>;
  /** By path; a number that is not there is 0. */
  readonly add?: readonly { readonly path: readonly [string, ...string[]]; readonly amount: number }[];
}

function updateOf(table: string, key: Item, { set, add = [] }: Change, condition: Condition): Update {
  const names: Record<string, string> = Object.fromEntries(condition.attributes.map((name) => [`#${name}`, name]));
  const values: Record<string, unknown> = { ...condition.values };
  const sets: string[] = [];
  const removes: string[] = [];
  for (const [name, value] of Object.entries(set)) {
    if (value === undefined) continue;
    names[`#${name}`] = name;
    if (value === null) removes.push(`#${name}`);
    else {
      sets.push(`#${name} = :${name}`);
      values[name] = value;
    }
  }
  for (const [at, { path, amount }] of add.entries()) {
    const target = path.map((name, depth) => {
      names[`#add${at}_${depth}`] = name;
      return `#add${at}_${depth}`;
    });
    values[`add${at}`] = amount;
    values['zero'] = 0;
    sets.push(`${target.join('.')} = if_not_exists(${target.join('.')}, :zero) + :add${at}`);
  }
  const clauses = [sets.length > 0 ? `SET ${sets.join(', ')}` : '', removes.length > 0 ? `REMOVE ${removes.join(', ')}` : ''];
  return {
    TableName: table,
    Key: key,
    UpdateExpression: clauses.join(' ').trim(),
    ConditionExpression: condition.expression,
    ExpressionAttributeNames: names,
    ExpressionAttributeValues: Object.fromEntries(Object.entries(values).map(([name, value]) => [`:${name}`, toAttribute(value)])),
  };
}

export function update(table: string, key: Readonly<Record<string, string>>, change: Change, condition: Condition): TransactWriteItem {
  return { Update: updateOf(table, toItem(key), change, condition) };
}
