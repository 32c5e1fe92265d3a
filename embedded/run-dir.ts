import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { checkDataDir, openDataDir, writePrivately } from '../adapters/embedded/data-dir.ts';
import { storageError } from '../adapters/embedded/storage-error.ts';
import { z } from 'zod';
import { InvalidInput, PrewarmError } from '../core/errors.ts';
import { inputFault } from '../core/input-fault.ts';
import { REPORT_HEADER } from '../core/report/result-row.ts';
import { parseJson } from '../core/parse-json.ts';

/** The data directory of one run. */
export interface RunDir {
  /** Absolute. */
  readonly path: string;
  /** It outlives the run, also if it is a temporary one. */
  keep(): void;
  /** It goes when it is released, also if it was given. */
  discard(): void;
  readonly isTemporary: boolean;
  /** Gives it free for others; a temporary one that nobody wanted kept goes. May be called twice. */
  release(): void;
}

/** Opens the directory given, or a temporary one for null. Throws PrewarmError `data_dir_busy`, `storage_full` or `storage`. */
export function openRunDir(given: string | null): RunDir {
  const path = given ?? makeTemporaryDir();
  let isKept = given !== null;
  const removeUnlessKept = () => {
    if (!isKept) rmSync(path, { recursive: true, force: true });
  };
  try {
    const dataDir = openDataDir(path);
    return {
      path: dataDir.path,
      isTemporary: given === null,
      discard() {
        isKept = false;
      },
      keep() {
        isKept = true;
      },
      release() {
        dataDir.release();
        removeUnlessKept();
      },
    };
  } catch (error) {
    removeUnlessKept();
    throw error;
  }
}

function makeTemporaryDir(): string {
  try {
    return mkdtempSync(join(tmpdir(), 'prewarm-'));
  } catch (error) {
    throw storageError(error, tmpdir());
  }
}

/** Flags that a resumed run needs again; the request itself is in the tables. */
const KEPT = [
  'dnsServer',
  'edgePort',
  'edgeHttpPort',
  'allowPrivateAddresses',
  'agents',
  'concurrency',
  'invalidationEndpoint',
  'minSuccess',
  'strict',
] as const;
const KEPT_PATHS = ['edgeMap', 'caFile', 'out'] as const;

/** Of `KEPT`, those without a value. */
const YES: readonly string[] = ['allowPrivateAddresses', 'strict'];

const keptFlags = [...KEPT, ...KEPT_PATHS].map((flag) => [flag, (YES.includes(flag) ? z.literal(true) : z.string()).optional()] as const);

const digest = z.hex().length(64);
/** Of what the run was given: the bytes of FILE, and the values of `--url`. Null: there was none. */
const listDigests = z.object({ file: digest.nullable(), urls: digest.nullable() });

export type ListDigests = z.output<typeof listDigests>;

const record = z.object({
  requestId: z.uuid(),
  /** No other flag is taken from a record that somebody changed. */
  flags: z.strictObject(Object.fromEntries(keptFlags)),
  /** Absent in what earlier versions wrote. */
  list: listDigests.optional(),
  /** The temporary directory that was made for the run, which goes when it has ended well. Absent: its user named a directory. */
  temporaryDir: z.string().optional(),
  /** How long nothing ran between an interrupt and a resume, milliseconds. */
  pausedMs: z.number().nonnegative().default(0),
});

/** What `--resume` finds beside the tables. */
export type RunRecord = z.output<typeof record>;

const pathOf = (dataDir: string) => join(dataDir, 'run.json');

interface RunToRecord {
  readonly requestId: string;
  /** Every flag as it was given, by its name in camel case; only those that a resume needs are kept. */
  readonly raw: Readonly<Record<string, unknown>>;
  readonly list: ListDigests;
  readonly isTemporary: boolean;
}

/** Throws PrewarmError `storage_full` or `storage`. */
export function saveRunRecord(dataDir: string, { requestId, raw, list, isTemporary }: RunToRecord): void {
  const flags: Record<string, string | true> = {};
  for (const flag of KEPT) if (typeof raw[flag] === 'string' || raw[flag] === true) flags[flag] = raw[flag];
  for (const flag of KEPT_PATHS) if (typeof raw[flag] === 'string') flags[flag] = resolve(raw[flag]);
  writeRunRecord(dataDir, { requestId, flags, list, ...(isTemporary ? { temporaryDir: dataDir } : {}) });
}

function writeRunRecord(dataDir: string, content: z.input<typeof record>): void {
  try {
    writePrivately(pathOf(dataDir), `${JSON.stringify(content, null, 2)}\n`);
  } catch (error) {
    throw storageError(error, pathOf(dataDir));
  }
}

/** Notes for how long nothing ran before this resume, so that the time it took can be told without, and where its report goes now. */
export function noteResume(dataDir: string, { pausedMs, out }: { readonly pausedMs: number; readonly out: string | null }): void {
  const kept = loadRunRecord(dataDir);
  const flags = { ...kept.flags, ...(out === null ? {} : { out: resolve(out) }) };
  writeRunRecord(dataDir, { ...kept, flags, pausedMs: kept.pausedMs + Math.max(0, pausedMs) });
}

/**
 * The flags of a run that is resumed: those that are given now, and those that were kept. Throws InvalidInput where the kept
 * path of the report would replace something else: the directory may come from elsewhere, with a path that its user does not know.
 */
export function resumedFlags(dataDir: string, given: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { flags } = loadRunRecord(dataDir);
  const { out } = flags;
  if (given['out'] === undefined && typeof out === 'string' && !isReplaceable(out)) {
    const message = 'is where the interrupted run was to write its report, and holds something else; give --out again';
    throw new InvalidInput([inputFault('--out', out, message)]);
  }
  return { ...flags, ...given };
}

/** Nothing is there, or a file that is empty or a report. */
function isReplaceable(path: string): boolean {
  if (!isAbsolute(path)) return false;
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return true;
  if (!found.isFile()) return false;
  const beginning = Buffer.alloc(Math.min(found.size, REPORT_HEADER.length));
  const file = openSync(path, 'r');
  try {
    readSync(file, beginning);
  } finally {
    closeSync(file);
  }
  return beginning.length === 0 || beginning.toString() === REPORT_HEADER;
}

/** Before another run begins in the directory: what is interrupted from now on is that one. */
export function dropRunRecord(dataDir: string): void {
  rmSync(pathOf(dataDir), { force: true });
}

export const hasRunRecord = (dataDir: string): boolean => existsSync(pathOf(dataDir));

/** Throws InvalidInput where the directory holds no run, and PrewarmError `storage` where another user could have written it. */
export function loadRunRecord(dataDir: string): RunRecord {
  const fault = (message: string) => new InvalidInput([inputFault('--data-dir', dataDir, message)]);
  let text: string;
  try {
    checkDataDir(dataDir);
    text = readFileSync(pathOf(dataDir), 'utf8');
  } catch (error) {
    if (error instanceof PrewarmError) throw error;
    throw fault('holds no run to resume; name the directory of an interrupted run');
  }
  const parsed = record.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  const what = parsed.error.issues.map(({ path, message }) => [path.join('.'), message].filter(Boolean).join(': ')).join('; ');
  throw fault(`has a run.json that no run of this version wrote (${what}); run the list again in another directory`);
}
