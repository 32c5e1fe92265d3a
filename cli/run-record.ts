import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { storageError } from '../adapters/embedded/storage-error.ts';
import { InvalidInput } from '../core/errors.ts';
import { inputFault } from '../core/input-fault.ts';
import type { RawOptions } from './flags.ts';

/** Flags that a resumed run needs again; the request itself is in the tables. */
const KEPT = ['dnsServer', 'edgePort', 'edgeHttpPort', 'allowPrivateAddresses', 'agents', 'concurrency', 'invalidationEndpoint'] as const;
const KEPT_PATHS = ['edgeMap', 'caFile'] as const;

const record = z.object({ requestId: z.uuid(), flags: z.record(z.string(), z.union([z.string(), z.literal(true)])) });

/** What `--resume` finds beside the tables. */
export type RunRecord = z.output<typeof record>;

const pathOf = (dataDir: string) => join(dataDir, 'run.json');

/** Throws PrewarmError `storage_full` or `storage`. */
export function saveRunRecord(dataDir: string, requestId: string, raw: RawOptions): void {
  const flags: Record<string, unknown> = {};
  for (const flag of KEPT) if (raw[flag] !== undefined) flags[flag] = raw[flag];
  for (const flag of KEPT_PATHS) if (typeof raw[flag] === 'string') flags[flag] = resolve(raw[flag]);
  try {
    writeFileSync(pathOf(dataDir), `${JSON.stringify({ requestId, flags }, null, 2)}\n`, { mode: 0o600 });
  } catch (error) {
    throw storageError(error, pathOf(dataDir));
  }
}

/** Before another run begins in the directory: what is interrupted from now on is that one. */
export function dropRunRecord(dataDir: string): void {
  rmSync(pathOf(dataDir), { force: true });
}

export const hasRunRecord = (dataDir: string): boolean => existsSync(pathOf(dataDir));

/** Throws InvalidInput where the directory holds no run. */
export function loadRunRecord(dataDir: string): RunRecord {
  try {
    return record.parse(JSON.parse(readFileSync(pathOf(dataDir), 'utf8')));
  } catch {
    throw new InvalidInput([inputFault('--data-dir', dataDir, 'holds no run to resume; name the directory of an interrupted run')]);
  }
}
