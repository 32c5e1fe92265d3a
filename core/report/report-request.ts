import { parse } from 'csv-parse/sync';
import { PrewarmError } from '../errors.ts';
import { addNote } from './cause.ts';
import { keys } from '../keys.ts';
import type { PipelinePorts } from '../ports/ports.ts';
import { isEnded, type Plan, type RequestRow } from '../request/request.ts';
import { csvField, formatResultRow, REPORT_COLUMNS, REPORT_HEADER } from './result-row.ts';
import { parseUrlLine, parseValueLine, readLines } from '../work/sized-list.ts';
import { type Slice, taskIdOf } from '../work/task.ts';
import { inOrder, READS_AHEAD } from '../pipeline/failed-urls.ts';
import { readSliceLines } from '../pipeline/list-parts.ts';
import { failedRow } from '../pipeline/record-failures.ts';
import { readSlices } from '../pipeline/slicing.ts';
import { hasFailures } from './summarise-failures.ts';

type ReportPorts = Pick<PipelinePorts, 'store' | 'lists'>;

/**
 * The report of an ended request: exactly one row per target, a few slices of them held at a time. `failed` leaves out POPs
 * without failures, and no other row.
 */
export async function* reportRequest(ports: ReportPorts, id: string, only: 'failed' | null = null): AsyncGenerator<string> {
  const row = await ports.store.get(id);
  if (row === null) throw new PrewarmError('not_found', `there is no request ${id}`);
  if (!isEnded(row.status)) throw new PrewarmError('conflict', `request ${id} has not ended yet; its report comes when it has`);
  yield REPORT_HEADER;
  if (row.plan === null) yield* unplannedRows(ports, row);
  else for (const pop of await popsOf(ports, row, row.plan, only)) yield* popRows(ports, row, row.plan, pop);
}

async function popsOf({ store }: ReportPorts, row: RequestRow, plan: Plan, only: 'failed' | null): Promise<readonly string[]> {
  if (only === null) return plan.pops;
  return (await store.listPops(row.id)).filter((pop) => hasFailures(row, pop)).map(({ pop }) => pop);
}

async function* unplannedRows({ lists }: ReportPorts, row: RequestRow): AsyncGenerator<string> {
  for (const { pop } of row.spec.pops) {
    for await (const { line } of readLines(lists.read(keys.urls(row.id)))) yield stoppedRows(row, pop, parseUrlLine(line));
  }
}

async function* popRows(ports: ReportPorts, row: RequestRow, plan: Plan, pop: string): AsyncGenerator<string> {
  const counted = await ports.store.countedTasks(row.id, pop);
  yield* inOrder(readSlices(ports.lists, row.id, plan), READS_AHEAD, async (slice) => {
    const taskId = taskIdOf(pop, 0, slice);
    return counted.has(taskId) ? textOf(ports.lists.readResult(keys.result(row.id, taskId))) : uncountedRows(ports, row, pop, slice);
  });
}

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of chunks) text += decoder.decode(chunk, { stream: true });
  return text;
}

/** Rows of a task that was not counted before the end: stopped, with the columns of a result that came later. */
async function uncountedRows({ lists }: ReportPorts, row: RequestRow, pop: string, slice: Slice): Promise<string> {
  const key = keys.result(row.id, taskIdOf(pop, 0, slice));
  if ((await lists.resultMetadata(key)) !== null) return afterEndRows(await textOf(lists.readResult(key)));
  const lines = await readSliceLines(lists, row.id, slice);
  return lines.map((line) => stoppedRows(row, pop, parseValueLine(line).url)).join('');
}

function stoppedRows(row: RequestRow, pop: string, url: string): string {
  const at = row.endedAt ?? row.updatedAt;
  let rows = '';
  for (const { name } of row.spec.variants) rows += formatResultRow(failedRow({ url, pop, variant: name, reason: 'stopped' }, at));
  return rows;
}

const OUTCOME = REPORT_COLUMNS.indexOf('outcome');
const REASON = REPORT_COLUMNS.indexOf('reason');
const NOTES = REPORT_COLUMNS.indexOf('notes');

function afterEndRows(rows: string): string {
  let text = '';
  for (const fields of parse(rows)) {
    fields[OUTCOME] = 'failed';
    fields[REASON] = 'stopped';
    fields[NOTES] = addNote(fields[NOTES] ?? '', 'after_end');
    text += `${fields.map(csvField).join(',')}\n`;
  }
  return text;
}
