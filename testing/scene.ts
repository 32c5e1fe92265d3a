import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse } from 'csv-parse/sync';
import type { TestContext } from 'vitest';
import type { Progress } from '../core/report/progress.ts';
import type { SimulatedEdgeOptions } from '../simulator/simulated-edge-options.ts';
import { createSimulatedEdge, type SimulatedEdge } from '../simulator/simulated-edge.ts';
import { type Ended, type PrewarmProcess, type StartOptions, startPrewarm } from './prewarm-process.ts';

export type ReportRow = Readonly<Record<string, string>>;

/** A folder, edges and processes of one test, all of which end with it. */
export interface Scene {
  /** Path of a name in the scene's folder. */
  at(name: string): string;
  edge(options?: SimulatedEdgeOptions): Promise<SimulatedEdge>;
  /** Writes a list of URLs, or whatever text it is to be, and returns its path. */
  list(content: readonly string[] | string | Buffer, name?: string): string;
  start(args: readonly string[], options?: StartOptions): PrewarmProcess;
  /** Starts and waits for the end. */
  run(args: readonly string[], options?: StartOptions): Promise<Ended>;
  report(name: string): readonly ReportRow[];
  /** What is left of temporary files of the processes. */
  temporaries(): readonly string[];
}

/** The test's own scene; `onTestFinished` is the test context's, so that tests may run at once. */
export function openScene({ onTestFinished }: Pick<TestContext, 'onTestFinished'>): Scene {
  const dir = mkdtempSync(join(tmpdir(), 'prewarm-run-'));
  const edges: SimulatedEdge[] = [];
  const processes: PrewarmProcess[] = [];
  const at = (name: string) => join(dir, name);
  mkdirSync(at('tmp'));
  const start: Scene['start'] = (args, options = {}) => {
    const started = startPrewarm(args, { ...options, env: { TMPDIR: at('tmp'), ...options.env } });
    processes.push(started);
    return started;
  };
  onTestFinished(async () => {
    await Promise.all(processes.map((one) => one.killTree()));
    await Promise.all(edges.map((edge) => edge.close()));
    rmSync(dir, { recursive: true, force: true });
  });
  return {
    at,
    start,
    run: (args, options) => start(args, options).ended,
    async edge(options) {
      const edge = await createSimulatedEdge(options);
      edges.push(edge);
      return edge;
    },
    list(content, name = 'urls.csv') {
      mkdirSync(dirname(at(name)), { recursive: true });
      writeFileSync(at(name), Array.isArray(content) ? `url\n${content.join('\n')}\n` : (content as string | Buffer));
      return at(name);
    },
    report: (name) => parse<ReportRow>(readFileSync(at(name), 'utf8'), { columns: true }),
    temporaries: () => readdirSync(at('tmp')),
  };
}

/** Flags by which the command finds a simulated edge through a map, of https and http addresses both. */
export function mapFlags(scene: Scene, edge: SimulatedEdge, name = 'edge'): string[] {
  const map = Object.fromEntries(Object.keys(edge.edgeMap).map((pop) => [pop, { https: edge.edgeMap[pop], http: edge.httpEdgeMap[pop] }]));
  writeFileSync(scene.at(`${name}.json`), JSON.stringify(map));
  writeFileSync(scene.at(`${name}.pem`), edge.caPem);
  return ['--edge-map', scene.at(`${name}.json`), '--ca-file', scene.at(`${name}.pem`), '--allow-private-addresses'];
}

/** The same through its DNS server; for an edge bound to addresses. */
export function dnsFlags(scene: Scene, edge: SimulatedEdge): string[] {
  writeFileSync(scene.at('dns.pem'), edge.caPem);
  const ports = ['--edge-port', String(edge.edgePort), '--edge-http-port', String(edge.edgeHttpPort)];
  return ['--dns-server', edge.dnsServer, ...ports, '--ca-file', scene.at('dns.pem'), '--allow-private-addresses'];
}

export const popsOf = (edge: SimulatedEdge): string[] => Object.keys(edge.edgeMap);

export const urlOf = (edge: SimulatedEdge, path: string, scheme = 'https') => `${scheme}://${edge.host}${path}`;

/** The progress objects of `--json`. Throws on a line that is none. */
export const progressOf = (stdout: string): Progress[] =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Progress);

export function lastProgress(stdout: string): Progress {
  const last = progressOf(stdout).at(-1);
  if (last === undefined) throw new Error('there is no progress object');
  return last;
}

/** `pop url` of every target there is to be, and of every row there is, sorted. */
export const targetsOf = (urls: readonly string[], pops: readonly string[]) =>
  pops.flatMap((pop) => urls.map((url) => `${pop} ${url}`)).sort();
export const targetsIn = (rows: readonly ReportRow[]) => rows.map(({ pop, url }) => `${pop} ${url}`).sort();
