import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvalidInput } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import { createSimulatedEdge, type SimulatedEdge } from '../../simulator/simulated-edge.ts';
import type { RawOptions } from '../options/flags.ts';
import { columnsOf } from '../print/screen.ts';
import { onInterrupt } from '../signals.ts';
import { readSimulateOptions, type SimulateOptions } from '../options/simulate-options.ts';
import { type EdgeAccess, formatEdgeAccess } from '../print/simulate-text.ts';

interface StartedEdge {
  readonly edge: SimulatedEdge;
  /** Every address is a port of 127.0.0.1, which DNS cannot tell. */
  readonly isOneIp: boolean;
}

/** The system's error in an error or behind it; null: there is none. */
function systemError(error: unknown): NodeJS.ErrnoException | null {
  if (!(error instanceof Error)) return null;
  const known: NodeJS.ErrnoException = error;
  return typeof known.code === 'string' ? known : systemError(error.cause);
}

/** Tells which port could not be had; null: the error is about something else. */
function portFault(error: unknown, { ports, addressCount }: SimulateOptions): InvalidInput | null {
  const cause = systemError(error);
  const port = cause !== null && 'port' in cause ? cause.port : undefined;
  if (typeof port !== 'number' || (cause?.code !== 'EADDRINUSE' && cause?.code !== 'EACCES')) return null;
  const span = (flag: string) => (flag.startsWith('--edge-') ? addressCount : 1);
  const named = [...ports].find(([flag, first]) => port >= first && port < first + span(flag));
  if (named === undefined) return null;
  const [flag, first] = named;
  const remedy =
    cause.code === 'EACCES'
      ? `this user may not listen at port ${port}; name a port from 1024 on`
      : `port ${port} is in use; name another one, or leave the option out for any that is free`;
  return new InvalidInput([inputFault(flag, String(first), remedy)]);
}

async function start({ edge, oneIp }: SimulateOptions): Promise<StartedEdge> {
  if (!oneIp) {
    try {
      return { edge: await createSimulatedEdge({ ...edge, bind: 'addresses' }), isOneIp: false };
    } catch (error) {
      // Only Linux answers on all of 127.0.0.0/8.
      if (systemError(error)?.code !== 'EADDRNOTAVAIL') throw error;
    }
  }
  return { edge: await createSimulatedEdge({ ...edge, bind: 'ports' }), isOneIp: true };
}

async function startEdge(options: SimulateOptions): Promise<StartedEdge> {
  try {
    return await start(options);
  } catch (error) {
    throw portFault(error, options) ?? error;
  }
}

/** The map's own form knows one port of an address; this one knows that of http too. */
async function writeBothSchemes(dir: string, { edgeMap, httpEdgeMap }: SimulatedEdge): Promise<string> {
  const file = join(dir, 'edge-map-both.json');
  const both = Object.entries(edgeMap).map(([pop, https]) => [pop, { https, http: httpEdgeMap[pop] }]);
  await writeFile(file, `${JSON.stringify(Object.fromEntries(both), null, 2)}\n`);
  return file;
}

async function describeAccess({ edge, isOneIp }: StartedEdge, dir: string, options: SimulateOptions): Promise<EdgeAccess> {
  const { caFile, edgeMapFile } = await edge.writeFiles(dir);
  const ports = ['--edge-port', String(edge.edgePort), '--edge-http-port', String(edge.edgeHttpPort)];
  const way = isOneIp ? ['--edge-map', await writeBothSchemes(dir, edge)] : ['--dns-server', edge.dnsServer, ...ports];
  return {
    edge_map: edgeMapFile,
    ca_file: caFile,
    dns_server: isOneIp ? null : edge.dnsServer,
    invalidation_endpoint: edge.invalidationEndpoint,
    options: [...way, '--ca-file', caFile, '--allow-private-addresses'],
    invalidation_options: ['--invalidation-endpoint', edge.invalidationEndpoint],
    domain: edge.host,
    hosts: [edge.host, ...options.edge.aliases],
    pops: options.pops,
    faults: options.faults.map(({ text }) => text),
  };
}

function tell(access: EdgeAccess, { json, addressCount }: SimulateOptions): void {
  const text = json ? `${JSON.stringify(access)}\n` : formatEdgeAccess(access, addressCount, columnsOf(process.stdout));
  process.stdout.write(text);
}

/** `prewarm simulate`: a simulated edge on loopback, until a signal. Throws InvalidInput for options that are wrong and ports that are taken. */
export async function simulate(raw: RawOptions): Promise<number> {
  const options = readSimulateOptions(raw);
  const stopped = Promise.withResolvers<void>();
  const stopListening = onInterrupt(stopped.resolve);
  const dir = await mkdtemp(join(tmpdir(), 'prewarm-edge-'));
  try {
    const started = await startEdge(options);
    try {
      for (const { match, fault } of options.faults) started.edge.setFault(match, fault);
      tell(await describeAccess(started, dir, options), options);
      await stopped.promise;
      return 0;
    } finally {
      await started.edge.close();
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
    stopListening();
  }
}
