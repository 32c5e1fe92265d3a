import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createSimulatedEdge, type SimulatedEdge } from '../../../simulator/simulated-edge.ts';

const HOUR_MS = 3_600_000;

/** Versions of which there are recordings. */
export const VERSIONS: readonly string[] = ['0.1.0'];

interface RecordedEnd {
  readonly id: string;
  /** Answers as the version gave them, without what changes from moment to moment. */
  readonly progress: Readonly<Record<string, unknown>>;
  readonly summary: Readonly<Record<string, unknown>>;
  /** The report behind the summary's link. */
  readonly failures: string;
}

export interface Recorded {
  readonly apiKey: string;
  readonly edgeMap: Readonly<Record<string, readonly string[]>>;
  readonly serve: {
    /** The idempotency key of the request `finished`, and the body that came with it. */
    readonly key: string;
    readonly body: Readonly<Record<string, unknown>>;
    readonly ended: Readonly<Record<'finished' | 'lost' | 'stopped', RecordedEnd>>;
    readonly flight: { readonly id: string; readonly targets: number };
    readonly sizing: { readonly id: string; readonly targets: number };
  };
  readonly run: { readonly id: string; readonly urls: readonly string[]; readonly pops: readonly string[] };
}

const pathOf = (version: string, name: string) => join(import.meta.dirname, 'recordings', version, name);

export const readRecording = (version: string) => readRecorded(version, 'expected.json') as Recorded;

export function readRecorded(version: string, name: string): unknown {
  return JSON.parse(readFileSync(pathOf(version, name), 'utf8'));
}

/** Puts a copy of a recorded data directory into `parent`; returns its path. */
export function unpack(version: string, name: 'serve' | 'run', parent: string): string {
  execFileSync('tar', ['-xzof', pathOf(version, `${name}.tar.gz`), '-C', parent]);
  return join(parent, name);
}

/** The recorded distribution, at ports of this moment, with the same objects and nothing in its caches. */
export function openRecordedEdge({ edgeMap }: Recorded): Promise<SimulatedEdge> {
  return createSimulatedEdge({ pops: Object.keys(edgeMap).map((pop) => ({ pop })) });
}

/**
 * Makes a copy look as if the kill had been a moment ago: what was to happen later is later still, and the POPs are at the
 * addresses of `edge`. Ports of the recording may be anybody's by now.
 */
export function refresh(dataDir: string, { edgeMap }: Recorded, edge: SimulatedEdge): void {
  const db = new DatabaseSync(join(dataDir, 'prewarm.db'));
  const later = Date.now() + HOUR_MS;
  for (const [table, column] of [
    ['idempotency', 'lapses_at'],
    ['operator_claim', 'lapses_at'],
    ['timers', 'at'],
  ]) {
    db.prepare(`UPDATE ${table} SET ${column} = ?`).run(later);
  }
  db.prepare('UPDATE requests SET timeout_at = ? WHERE timeout_at IS NOT NULL').run(later);
  const moves = Object.entries(edgeMap).map(([pop, [from = '']], at) => {
    const [to = ''] = edge.edgeMap[pop] ?? [];
    return { from: portOf(from), between: `:<${at}>`, to: portOf(to) };
  });
  const replaceAll = (from: string, to: string) => {
    db.prepare('UPDATE messages SET body = replace(body, ?, ?)').run(from, to);
    db.prepare('UPDATE pops SET addresses = replace(addresses, ?, ?)').run(from, to);
  };
  // In two steps, since a port of now may be another POP's port of then.
  for (const { from, between } of moves) replaceAll(from, between);
  for (const { between, to } of moves) replaceAll(between, to);
  db.close();
}

/** `:port`, as it stands both in JSON and in an address. */
const portOf = (address: string) => address.slice(address.lastIndexOf(':'));
