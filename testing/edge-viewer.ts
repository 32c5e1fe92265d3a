import { Agent, request } from 'node:https';
import pLimit from 'p-limit';
import type { SimulatedEdge } from '../simulator/simulated-edge.ts';

const CONNECTIONS_PER_ADDRESS = 4;

/** `status x-cache` of a whole GET, or the code of what broke it. */
function look(edge: SimulatedEdge, agent: Agent, address: string, path: string): Promise<string> {
  const [host, port] = address.split(':');
  return new Promise((resolve) => {
    const ask = { host, port, path, servername: edge.host, headers: { host: edge.host }, ca: edge.caPem, agent };
    const asked = request(ask, (answer) => {
      answer.on('end', () => resolve(`${answer.statusCode} ${String(answer.headers['x-cache'])}`));
      answer.on('error', (error) => resolve(error.message));
      answer.resume();
    });
    asked.on('error', (error) => resolve(error.message));
    asked.end();
  });
}

/**
 * Asks every address of every POP for every path, as a viewer would, with a client that is not the product's.
 * Returns `pop address path: what` for each that does not answer with a hit; [] is what warm means.
 */
export async function findCold(
  edge: SimulatedEdge,
  paths: readonly string[],
  pops = Object.keys(edge.edgeMap),
): Promise<readonly string[]> {
  const agent = new Agent({ keepAlive: true });
  const asks = pops.flatMap((pop) =>
    (edge.edgeMap[pop] ?? []).map((address) => ({ pop, address, limit: pLimit(CONNECTIONS_PER_ADDRESS) })),
  );
  const found = await Promise.all(
    asks.flatMap(({ pop, address, limit }) =>
      paths.map((path) => limit(async () => ({ what: await look(edge, agent, address, path), where: `${pop} ${address} ${path}` }))),
    ),
  );
  agent.destroy();
  return found.filter(({ what }) => what !== '200 Hit from cloudfront').map(({ what, where }) => `${where}: ${what}`);
}
