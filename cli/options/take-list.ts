import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { addAbortSignal, type Readable } from 'node:stream';
import { type InputFault, InvalidInput } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import { keys } from '../../core/keys.ts';
import type { ListStore } from '../../core/ports/list-store.ts';
import { formatUrlRow } from '../../core/work/sized-list.ts';
import { createUrlIntake, type UrlIntake } from '../../core/request/url-intake.ts';
import { counted } from '../print/quantities.ts';
import type { ListReading } from './request-flags.ts';
import { atBase, readUrlList, type UrlListFigures } from '../../lists/url-list.ts';

export interface ListSource extends ListReading {
  /** Path, `-` for standard input; null: only `urls`. */
  readonly file: string | null;
  /** Of `--url`. */
  readonly urls: readonly string[];
  /** As given: an alias, the distribution's own name, or null. */
  readonly domain: string | null;
  /** Bad lines are left out instead of refused. */
  readonly skipBad: boolean;
  /** Breaks the reading off, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Takes in the bytes of the file as they are read. */
  readonly digest?: Hash;
}

export interface TakenList {
  /** Distinct URLs. */
  readonly count: number;
  readonly duplicates: number;
  /** Bad lines left out. */
  readonly skipped: number;
  readonly hosts: readonly string[];
  /** The column that was taken because it alone holds URLs. */
  readonly foundColumn?: string;
}

/** What a user must know of a list that was taken: a line each. */
export function describeTaken({ skipped, duplicates, foundColumn }: TakenList): readonly string[] {
  return [
    ...(foundColumn === undefined ? [] : [`the URLs are taken from the column ${foundColumn}`]),
    ...(skipped === 0 ? [] : [`${counted(skipped, 'bad line')} ${skipped === 1 ? 'was' : 'were'} left out`]),
    ...(duplicates === 0
      ? []
      : [`${counted(duplicates, 'duplicate')} ${duplicates === 1 ? 'was' : 'were'} dropped: each URL is warmed once`]),
  ];
}

/** More lines were wrong than are listed. */
class BadList extends InvalidInput {
  readonly total: number;
  /** Without its bad lines the list would do. */
  readonly canSkip: boolean;

  constructor(faults: readonly InputFault[], total: number, canSkip: boolean) {
    super(faults);
    this.total = total;
    this.canSkip = canSkip;
  }
}

function takeFlags({ urls, base }: ListSource, intake: UrlIntake, faults: InputFault[]): string[] {
  const taken: string[] = [];
  for (const raw of urls) {
    const result = intake.add(base === null ? raw : atBase(raw, base));
    if ('fault' in result) faults.push(inputFault('--url', raw, result.fault));
    else if (result.isNew) taken.push(result.url);
  }
  return taken;
}

function openList(file: string, signal: AbortSignal | undefined): AsyncIterable<Uint8Array> {
  const stream: Readable = file === '-' ? process.stdin : createReadStream(file, { highWaterMark: 256 * 1024 });
  return signal === undefined ? stream : addAbortSignal(signal, stream);
}

async function* digesting(chunks: AsyncIterable<Uint8Array>, digest: Hash): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    digest.update(chunk);
    yield chunk;
  }
}

/** The digest of the file's bytes, in hexadecimal; null: there is no file. Throws InvalidInput where it cannot be read. */
export async function hashList({ file, signal }: Pick<ListSource, 'file' | 'signal'>): Promise<string | null> {
  if (file === null) return null;
  const digest = createHash('sha256');
  try {
    for await (const chunk of openList(file, signal)) digest.update(chunk);
  } catch (error) {
    signal?.throwIfAborted();
    throw asInputFault(error, file);
  }
  return digest.digest('hex');
}

/**
 * Reads and checks the whole list in constant memory, and hands its distinct URLs to `keep` on the way. Throws BadList with
 * every fault counted when something is wrong, which shows only at its end: what was kept is then of no use.
 */
export async function takeUrls(source: ListSource, keep: (batches: AsyncIterable<readonly string[]>) => Promise<void>): Promise<TakenList> {
  const intake = createUrlIntake(source.domain);
  const faults: InputFault[] = [];
  const flagged = takeFlags(source, intake, faults);
  const open = (file: string) => {
    const chunks = openList(file, source.signal);
    return source.digest === undefined ? chunks : digesting(chunks, source.digest);
  };
  const field = source.file === '-' ? 'standard input' : (source.file ?? '');
  const list = source.file === null ? null : readUrlList(open(source.file), { field, intake, column: source.column, base: source.base });

  async function* batches(): AsyncGenerator<readonly string[]> {
    if (flagged.length > 0) yield flagged;
    if (list) yield* list.batches;
  }

  try {
    await keep(batches());
  } catch (error) {
    source.signal?.throwIfAborted();
    throw asInputFault(error, field);
  }
  const figures: UrlListFigures = list?.figures() ?? { count: 0, duplicates: 0, faultCount: 0, faults: [], unusable: false };
  const isFatal = faults.length > 0 || intake.count === 0 || figures.unusable || (figures.faultCount > 0 && !source.skipBad);
  if (isFatal) {
    const canSkip = faults.length === 0 && !figures.unusable && intake.count > 0;
    throw new BadList([...faults, ...figures.faults], faults.length + figures.faultCount, canSkip);
  }
  return {
    count: intake.count,
    duplicates: intake.duplicates,
    skipped: figures.faultCount,
    hosts: intake.hosts(),
    ...(figures.foundColumn === undefined ? {} : { foundColumn: figures.foundColumn }),
  };
}

/** Takes the list as the request's `urls.csv`; nothing but an unused file is left behind when something is wrong. */
export async function takeList(lists: ListStore, requestId: string, source: ListSource): Promise<TakenList> {
  return takeUrls(source, async (batches) => {
    async function* rows(): AsyncGenerator<string> {
      for await (const batch of batches) yield batch.map(formatUrlRow).join('');
    }
    await lists.put(keys.urls(requestId), rows());
  });
}

/** A list that cannot be read is the user's to mend; anything else is not. */
function asInputFault(error: unknown, field: string): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return new InvalidInput([inputFault('FILE', field, 'there is no such file')]);
  if (code === 'EISDIR') return new InvalidInput([inputFault('FILE', field, 'is a directory; name a file, or - for standard input')]);
  if (code === 'EACCES') return new InvalidInput([inputFault('FILE', field, 'may not be read')]);
  return error;
}
