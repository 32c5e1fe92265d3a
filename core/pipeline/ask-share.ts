import { AddressTurn, type EdgeAddress } from '../pops/address.ts';
import { CancellableScope, pauseIn } from '../ask-scope.ts';
import type { Clock } from '../clock.ts';
import { invalidationPathOf } from '../request/invalidation-path.ts';
import { keys } from '../keys.ts';
import { MAX_OBJECT_BYTES } from '../work/outcome.ts';
import { askedWaitMs, isRefusal, pauseAfterRefusal } from '../work/patience.ts';
import type { Answer, AskScope } from '../ports/downloader.ts';
import { SIZER_ID } from '../ports/request-store.ts';
import type { Header, RequestRow } from '../request/request.ts';
import { parseUrlLine, readLines } from '../work/sized-list.ts';
import { readXCache } from '../work/x-cache.ts';
import { findFirstHeaders } from './find-headers.ts';
import { type PipelineContext, stopOnEnd } from './pipeline-context.ts';
import { readRefusedPaths } from './invalidation-batches.ts';
import { firstResolved } from './resolve-pops.ts';
import type { ShareFigures } from './list-parts.ts';

/** A request whose first POPs are all silent is not worth more minutes: its sizes stay unknown. */
const MAX_DEAD_POPS = 3;
/** How often a share looks whether its request has ended elsewhere. */
const ROW_CHECK_MS = 5000;
/** How often a share tells how far it is. */
const TELL_MS = 1000;

/** A URL with what sizing decided about it: its bytes, '' when they are unknown, or the reason why it is refused. */
export interface JudgedUrl {
  readonly url: string;
  readonly verdict: string;
}

interface AskedShare {
  /** In the list's order. */
  readonly judged: readonly JudgedUrl[];
  readonly figures: ShareFigures;
}

interface ShareLine {
  readonly index: number;
  readonly url: string;
}

/** The ports that sizing takes. */
export type SizingPort = 'store' | 'lists' | 'viewerHeaders' | 'resolver' | 'downloader' | 'clock';

/** Asks the size of each URL of the share at the row's cursor. Null: the request has ended meanwhile. */
export async function askShare(context: PipelineContext<SizingPort>, row: RequestRow, deadPops: number): Promise<AskedShare | null> {
  const { resolver, lists } = context.ports;
  const refused: ReadonlySet<string> = row.spec.invalidate ? await readRefusedPaths(lists, row.id) : new Set();
  const pops = row.spec.pops.map(({ pop }) => pop);
  const headers = await findFirstHeaders(context.ports, row);
  const addresses = deadPops >= MAX_DEAD_POPS ? null : await firstResolved(resolver, row.spec.domain, pops, deadPops);
  const scope = new CancellableScope();
  let ended = false;
  const stop = () => {
    ended = true;
    scope.cancel();
  };
  const release = stopOnEnd(context, row.id, stop);
  const share = takeShare(context, row, scope);
  const lines = share.lines();
  const urls: string[] = [];
  const teller = createTeller(context, row);
  try {
    const asker = createAsker(context, row, { addresses, headers, refused, scope, stop });
    const worker = async () => {
      for (let next = await lines.next(); !next.done && !ended; next = await lines.next()) {
        urls[next.value.index] = next.value.url;
        await asker.ask(next.value);
        await teller.tellOneMore();
      }
    };
    await Promise.all(Array.from({ length: context.limits.headsInFlight }, worker));
    if (ended) return null;
    const judged = urls.map((url, index) => ({ url, verdict: asker.verdicts[index] ?? '' }));
    return { judged, figures: summarise(judged, share.end(), share.isLast(), deadPops + (asker.isSilent() ? 1 : 0)) };
  } finally {
    release();
    scope.cancel();
    await teller.end();
    await lines.return(undefined);
  }
}

/** Tells whoever looks on how many URLs have been asked. A figure that is not written is made good by the next one. */
function createTeller({ ports: { store, clock } }: PipelineContext<SizingPort>, row: RequestRow) {
  let asked = row.sizing.rows + row.sizing.failedRows;
  let toldAt = clock.now();
  let isTold = false;
  const write = async (count: number) => {
    try {
      await store.putProvisional({ requestId: row.id, agentId: SIZER_ID, count, bytes: 0, rate: 0, updatedAt: clock.now() });
    } catch {
      // A store that stays broken stops the sizing itself.
    }
  };
  return {
    async tellOneMore(): Promise<void> {
      asked += 1;
      if (clock.now() - toldAt < TELL_MS) return;
      toldAt = clock.now();
      isTold = true;
      await write(asked);
    },
    end: async () => (isTold ? write(0) : undefined),
  };
}

/** The lines of one share, read as they are taken. */
function takeShare({ ports, limits }: PipelineContext<SizingPort>, row: RequestRow, scope: CancellableScope) {
  const { offset, rows, failedRows } = row.sizing;
  const startedAt = ports.clock.now();
  let taken = 0;
  let end = 0;
  let exhausted = true;
  async function* lines(): AsyncGenerator<ShareLine> {
    for await (const next of readLines(ports.lists.read(keys.urls(row.id), { start: offset }))) {
      end = next.end;
      taken += 1;
      yield { index: taken - 1, url: parseUrlLine(next.line) };
      const late = !scope.cancelled && ports.clock.now() - startedAt >= limits.shareMs;
      if (taken < limits.shareUrls && end < limits.shareBytes && !late) continue;
      exhausted = false;
      return;
    }
  }
  return {
    lines,
    end: () => offset + end,
    isLast: () => exhausted || rows + failedRows + taken >= row.urlCount,
  };
}

interface AskWith {
  readonly addresses: readonly EdgeAddress[] | null;
  readonly headers: readonly Header[];
  /** Paths of URLs that are not asked for. */
  readonly refused: ReadonlySet<string>;
  readonly scope: CancellableScope;
  readonly stop: () => void;
}

function createAsker(
  { ports, limits }: PipelineContext<SizingPort>,
  row: RequestRow,
  { addresses, headers, refused, scope, stop }: AskWith,
) {
  const { downloader, store, clock } = ports;
  const verdicts: string[] = [];
  const hold = createHold(clock, scope, clock.now() + limits.shareMs);
  const turn = new AddressTurn(() => clock.now());
  let silent = false;
  let answered = 0;
  let unanswered = 0;
  let checkedAt = clock.now();

  async function checkRow(): Promise<void> {
    if (clock.now() - checkedAt < ROW_CHECK_MS) return;
    checkedAt = clock.now();
    if ((await store.get(row.id))?.status !== 'SIZING') stop();
  }

  function note(answer: Answer): void {
    if (answer.status > 0) answered += 1;
    else unanswered += 1;
    if (unanswered < limits.silentHeads || answered >= unanswered || scope.cancelled) return;
    silent = true;
    scope.cancel();
  }

  /** A HEAD that reached no first address is sent once more where the last resort has taken their place. */
  async function askNext(at: readonly EdgeAddress[], url: string, index: number, isAgain = false): Promise<Answer | null> {
    const address = turn.next(at, index);
    if (address === undefined) return null;
    const answer = await downloader.ask({ method: 'HEAD', url, address, headers, scope });
    const mayGoOn = turn.note(at, address, answer) && !isAgain && !scope.cancelled;
    return mayGoOn ? askNext(at, url, index, true) : answer;
  }

  return {
    verdicts,
    isSilent: () => silent,
    async ask({ index, url }: ShareLine): Promise<void> {
      if (refused.size > 0 && refused.has(invalidationPathOf(url))) {
        verdicts[index] = 'not_invalidated';
        return;
      }
      verdicts[index] = '';
      if (addresses === null || scope.cancelled) return;
      if (!(await hold.isOver()) || scope.cancelled) return;
      await checkRow();
      const answer = await askNext(addresses, url, index);
      if (answer === null) return;
      verdicts[index] = verdictOf(answer);
      hold.note(answer);
      note(answer);
    },
  };
}

/**
 * Keeps a share from asking while the POP refuses: for as long as it says, else longer each time. What was refused is not asked again,
 * since its GET tells the size too; and what would have to wait beyond the share's time is not asked at all.
 */
function createHold(clock: Clock, scope: AskScope, deadline: number) {
  let until = 0;
  let refusals = 0;
  return {
    /** Waits until HEADs may go out again; false: not within the share's time. */
    async isOver(): Promise<boolean> {
      while (until > clock.now() && !scope.cancelled) {
        if (until > deadline) return false;
        await pauseIn(scope, clock, until - clock.now());
      }
      return true;
    },
    note(answer: Answer): void {
      const now = clock.now();
      if (!isRefusal(answer)) {
        if (answer.error === null && now >= until) refusals = 0;
        return;
      }
      const asked = askedWaitMs(answer);
      // Those that were in flight with the first refusal say nothing new.
      if (asked === 0 && now < until) return;
      refusals += 1;
      until = Math.max(until, now + (asked > 0 ? asked : pauseAfterRefusal(refusals)));
    },
  };
}

/** The length is the object's only where the edge answers with the object: not of a part, an error page or a challenge. */
function verdictOf({ error, status, contentLength, xCache, wafAction }: Answer): string {
  if (error === 'address_refused') return error;
  if (status < 200 || status > 299 || status === 206 || contentLength < 0) return '';
  if (wafAction !== undefined || readXCache(xCache) === 'error') return '';
  return contentLength > MAX_OBJECT_BYTES ? 'too_large' : String(contentLength);
}

function summarise(judged: readonly JudgedUrl[], end: number, last: boolean, deadPops: number): ShareFigures {
  let failedRows = 0;
  let bytes = 0;
  for (const { verdict } of judged) {
    const size = Number(verdict);
    if (Number.isNaN(size)) failedRows += 1;
    else bytes += size;
  }
  return { end, rows: judged.length - failedRows, failedRows, bytes, deadPops, last };
}
