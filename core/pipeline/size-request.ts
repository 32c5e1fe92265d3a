import { keys } from '../keys.ts';
import type { ListStore } from '../ports/list-store.ts';
import type { RequestRow } from '../request/request.ts';
import { formatFailedRow, formatSizedRow, parseUrlLine, readLines } from '../work/sized-list.ts';
import { askShare, type JudgedUrl, type SizingPort } from './ask-share.ts';
import { type Next, nextAfter, NOTHING, NOW, type PipelineContext } from './pipeline-context.ts';
import { cursorAfter, formatShareFigures, parseShareFigures, type ShareFigures } from './list-parts.ts';

interface DecidedShare {
  readonly figures: ShareFigures;
  readonly judged: readonly JudgedUrl[];
}

/**
 * Sizes the next share of the list. Asking twice may answer differently, and slices are byte ranges of what was written:
 * so what was decided about a share is written once, and its parts follow from that and the list alone, whoever writes them.
 */
export async function sizeShare(context: PipelineContext<SizingPort>, row: RequestRow): Promise<Next> {
  const { store, clock } = context.ports;
  if (row.sizing.done) return finishSizing(context, row);
  const share = await decideShare(context, row);
  if (share === null) return NOTHING;
  await writeParts(context.ports.lists, row, share);
  const sizing = cursorAfter(row.sizing, share.figures, row.spec.variants.length);
  if (!(await store.saveSizing(row.id, row.sizing.parts, sizing, clock.now()))) return NOTHING;
  return sizing.done ? finishSizing(context, { ...row, sizing }) : NOW;
}

/** Null: the request has ended meanwhile. */
async function decideShare(context: PipelineContext<SizingPort>, row: RequestRow): Promise<DecidedShare | null> {
  const { lists } = context.ports;
  const key = keys.sizing(row.id, row.sizing.parts);
  const decided = await lists.resultMetadata(key);
  if (decided !== null) return keptShare(lists, row, parseShareFigures(decided));
  const asked = await askShare(context, row, await deadPopsBefore(lists, row));
  if (asked === null) return null;
  const verdicts = asked.judged.map(({ verdict }) => `${verdict}\n`).join('');
  const { existing } = await lists.putResult(key, verdicts, formatShareFigures(asked.figures));
  return existing === null ? asked : keptShare(lists, row, parseShareFigures(existing));
}

async function deadPopsBefore(lists: ListStore, row: RequestRow): Promise<number> {
  if (row.sizing.parts === 0) return 0;
  const before = await lists.resultMetadata(keys.sizing(row.id, row.sizing.parts - 1));
  return before === null ? 0 : parseShareFigures(before).deadPops;
}

/** A share that another process decided, or this one before it crashed. */
async function keptShare(lists: ListStore, row: RequestRow, figures: ShareFigures): Promise<DecidedShare> {
  const judged: JudgedUrl[] = [];
  const verdicts: string[] = [];
  for await (const { line } of readLines(lists.readResult(keys.sizing(row.id, row.sizing.parts)))) verdicts.push(line);
  for await (const { line } of readLines(lists.read(keys.urls(row.id), { start: row.sizing.offset, end: figures.end }))) {
    judged.push({ url: parseUrlLine(line), verdict: verdicts[judged.length] ?? '' });
  }
  return { figures, judged };
}

async function writeParts(lists: ListStore, row: RequestRow, { figures, judged }: DecidedShare): Promise<void> {
  function* sized(): Generator<string> {
    for (const { url, verdict } of judged) if (!isReason(verdict)) yield formatSizedRow(url, verdict === '' ? -1 : Number(verdict));
  }
  function* failed(): Generator<string> {
    for (const { url, verdict } of judged) if (isReason(verdict)) yield formatFailedRow(url, verdict);
  }
  await lists.put(keys.part(row.id, 'sized', row.sizing.parts), sized());
  if (figures.failedRows > 0) await lists.put(keys.part(row.id, 'failed', row.sizing.parts), failed());
}

const isReason = (verdict: string) => verdict !== '' && !/^\d/.test(verdict);

async function finishSizing({ ports: { store, clock } }: PipelineContext<SizingPort>, row: RequestRow): Promise<Next> {
  return nextAfter(await store.transition(row.id, 'SIZING', 'QUEUEING', clock.now()));
}
