import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { type FileHandle, link, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PrewarmError } from '../../core/errors.ts';
import type { ListStore, ResultMetadata } from '../../core/ports/list-store.ts';
import { createHolder, isDeadHolder, ownHolder } from './holder.ts';
import { storageError, translating } from './storage-error.ts';

/** Chunks may be single rows: they are gathered to this many characters a write. */
const WRITE_CHARACTERS = 64 * 1024;
/** A metadata line is at most 2 KB, so one read of this size holds it. */
const HEAD_BYTES = 4096;
const LINE_END = 0x0a;

/** Temporary files of this process so far: two stores with one holder must not meet in a name. */
let made = 0;

/**
 * Lists and results as files under `dir`, shared by several processes. A result's metadata is the first line of its
 * file, so that body and metadata appear as one. Throws PrewarmError `storage_full` or `storage` when the disk fails,
 * at creation already where `dir` cannot be written.
 */
export function createFileListStore(dir: string, holder = createHolder()): ListStore {
  ownHolder(holder);
  const temporaries = openTemporaries(join(dir, 'tmp'), holder);
  const pathOf = (key: string) => join(dir, key);
  return {
    put: (key, chunks) =>
      translating(pathOf(key), () =>
        temporaries.write(chunks, async (temporary, bytes) => {
          await place(pathOf(key), (path) => rename(temporary, path));
          return bytes;
        }),
      ),
    read: (key, range = { start: 0 }) => readFrom(pathOf(key), key, async () => range),
    putResult: (key, body, metadata) =>
      translating(pathOf(key), () =>
        temporaries.write([`${JSON.stringify(metadata)}\n`, body], async (temporary) => {
          const first = await place(pathOf(key), (path) => linkIfAbsent(temporary, path));
          return { existing: first ? null : (await readHead(pathOf(key))).metadata };
        }),
      ),
    resultMetadata: (key) =>
      translating(pathOf(key), async () => {
        try {
          return (await readHead(pathOf(key))).metadata;
        } catch (error) {
          if (codeOf(error) === 'ENOENT') return null;
          throw error;
        }
      }),
    readResult: (key) => readFrom(pathOf(key), key, async (file) => ({ start: (await parseHead(file)).length })),
  };
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}

interface Temporaries {
  /** Writes `chunks` to a new file, synced, and hands it to `use`; removes it afterwards if it is still there. */
  write<T>(chunks: Iterable<string> | AsyncIterable<string>, use: (path: string, bytes: number) => Promise<T>): Promise<T>;
}

/** Files on their way, in one directory beside the others so that they can be renamed and linked; those of dead processes go. */
function openTemporaries(dir: string, holder: string): Temporaries {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(dir)) {
      if (isDeadHolder(name.slice(0, name.lastIndexOf('.')))) rmSync(join(dir, name), { force: true });
    }
  } catch (error) {
    throw storageError(error, dir);
  }
  return {
    write: async (chunks, use) => {
      made += 1;
      const path = join(dir, `${holder}.${made}`);
      try {
        return await use(path, await writeSynced(path, chunks));
      } finally {
        await rm(path, { force: true });
      }
    },
  };
}

async function writeSynced(path: string, chunks: Iterable<string> | AsyncIterable<string>): Promise<number> {
  const file = await open(path, 'wx', 0o600);
  try {
    let gathered = '';
    for await (const chunk of chunks) {
      gathered += chunk;
      if (gathered.length < WRITE_CHARACTERS) continue;
      await file.appendFile(gathered);
      gathered = '';
    }
    await file.appendFile(gathered);
    await file.datasync();
    return (await file.stat()).size;
  } finally {
    await file.close();
  }
}

/** Puts a file into place, making its directory when it is the first there. */
async function place<T>(path: string, put: (path: string) => Promise<T>): Promise<T> {
  try {
    return await put(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    return put(path);
  }
}

/** A link, unlike a rename, never replaces: true when this one is the first. */
async function linkIfAbsent(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

interface Head {
  readonly metadata: ResultMetadata;
  /** Bytes of the line, its end included. */
  readonly length: number;
}

async function readHead(path: string): Promise<Head> {
  const file = await open(path);
  try {
    return await parseHead(file);
  } finally {
    await file.close();
  }
}

async function parseHead(file: FileHandle): Promise<Head> {
  let head = Buffer.alloc(0);
  for (;;) {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, head.length);
    head = Buffer.concat([head, buffer.subarray(0, bytesRead)]);
    const end = head.indexOf(LINE_END);
    if (end >= 0) return { metadata: JSON.parse(head.toString('utf8', 0, end)) as ResultMetadata, length: end + 1 };
    if (bytesRead === 0) throw new PrewarmError('storage', 'a result without its first line; the data directory is damaged');
  }
}

async function* readFrom(
  path: string,
  key: string,
  rangeOf: (file: FileHandle) => Promise<{ readonly start: number; readonly end?: number }>,
): AsyncGenerator<Uint8Array> {
  let file: FileHandle | undefined;
  try {
    file = await open(path);
    const { start, end = Number.POSITIVE_INFINITY } = await rangeOf(file);
    if (end <= start) return;
    // The stream's end is inclusive.
    yield* file.createReadStream({ start, end: end - 1, autoClose: false }) as AsyncIterable<Uint8Array>;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') throw new PrewarmError('not_found', `${key}: there is no such object`, { cause: error });
    throw storageError(error, path);
  } finally {
    await file?.close();
  }
}
