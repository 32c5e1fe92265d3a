import { keys } from '../keys.ts';
import type { ListStore } from '../ports/list-store.ts';
import type { RequestRow } from '../request/request.ts';
import { formatFailedRow, formatSizedRow, parseUrlLine, readLines } from '../work/sized-list.ts';
import { askShare, type SizingPort } from './ask-share.ts';
import { listParts } from './list-parts.ts';
import type { PipelineContext } from './pipeline-context.ts';
import { cursorAfter, formatShareFigures, parseShareFigures, type ShareFigures } from './share-figures.ts';

/**
 * Sizes the next share of the list. Asking twice may answer differently, and slices are byte ranges of what was written:
 * so what was decided about a share is written once, and its parts follow from that and the list alone, whoever writes them.
 */
export async function sizeShare(context: PipelineContext<SizingPort>, row: RequestRow): Promise<number | null> {
  const { store, clock } = context.ports;
  if (row.sizing.done) return finishSizing(context, row);
  const share = await decideShare(context, row);
  if (share === null) return null;
  await writeParts(context.ports.lists, row, share);
  const sizing = cursorAfter(row.sizing, share, row.spec.variants.length);
  if (!(await store.saveSizing(row.id, row.sizing.parts, sizing, clock.now()))) return null;
  return sizing.done ? finishSizing(context, { ...row, sizing }) : 0;
}

async function decideShare(context: PipelineContext<SizingPort>, row: RequestRow): Promise<ShareFigures | null> {
  const { lists } = context.ports;
  const key = keys.sizing(row.id, row.sizing.parts);
  const decided = await lists.resultMetadata(key);
  if (decided !== null) return parseShareFigures(decided);
  const asked = await askShare(context, row, await deadPopsBefore(lists, row));
  if (asked === null) return null;
  const { existing } = await lists.putResult(key, asked.verdicts, formatShareFigures(asked.figures));
  return existing === null ? asked.figures : parseShareFigures(existing);
}

async function deadPopsBefore(lists: ListStore, row: RequestRow): Promise<number> {
  if (row.sizing.parts === 0) return 0;
  const before = await lists.resultMetadata(keys.sizing(row.id, row.sizing.parts - 1));
  return before === null ? 0 : parseShareFigures(before).deadPops;
}

async function writeParts(lists: ListStore, row: RequestRow, share: ShareFigures): Promise<void> {
  const part = row.sizing.parts;
  const verdicts: string[] = [];
  for await (const { line } of readLines(lists.readResult(keys.sizing(row.id, part)))) verdicts.push(line);
  async function* rows(failed: boolean): AsyncGenerator<string> {
    let at = 0;
    for await (const { line } of readLines(lists.read(keys.urls(row.id), { start: row.sizing.offset, end: share.end }))) {
      const verdict = verdicts[at] ?? '';
      at += 1;
      if (isReason(verdict) !== failed) continue;
      const url = parseUrlLine(line);
      yield failed ? formatFailedRow(url, verdict) : formatSizedRow(url, verdict === '' ? -1 : Number(verdict));
    }
  }
  await lists.put(keys.part(row.id, 'sized', part), rows(false));
  if (share.failedRows > 0) await lists.put(keys.part(row.id, 'failed', part), rows(true));
}

const isReason = (verdict: string) => verdict !== '' && !/^\d/.test(verdict);

async function finishSizing({ ports }: PipelineContext<'store' | 'lists' | 'clock'>, row: RequestRow): Promise<number | null> {
  const { store, lists, clock } = ports;
  async function* failures(): AsyncGenerator<string> {
    const decoder = new TextDecoder('latin1');
    for await (const { chunks } of listParts(lists, row.id, 'failed', row.sizing.parts)) {
      for await (const chunk of chunks) yield decoder.decode(chunk);
    }
  }
  await lists.put(keys.failedUrls(row.id), failures());
  return (await store.transition(row.id, 'SIZING', 'QUEUEING', clock.now())) ? 0 : null;
}
