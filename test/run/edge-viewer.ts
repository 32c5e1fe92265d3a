import type { SimulatedEdge } from '../../simulator/simulated-edge.ts';
import { askEdge } from '../simulator/edge-client.ts';

/**
 * Asks every address of every POP for every path, as a viewer would, with a client that is not the product's.
 * Returns `pop address path: what` for each that does not answer with a hit; [] is what warm means.
 */
export async function findCold(
  edge: SimulatedEdge,
  paths: readonly string[],
  pops = Object.keys(edge.edgeMap),
): Promise<readonly string[]> {
  const cold: string[] = [];
  for (const pop of pops) {
    const addresses = edge.edgeMap[pop] ?? [];
    await Promise.all(
      addresses.map(async (address, index) => {
        for (const path of paths) {
          const { xCache, error, status } = await askEdge(edge, { pop, index, path, discard: true });
          if (error !== '' || status !== 200 || xCache !== 'Hit') cold.push(`${pop} ${address} ${path}: ${error || `${status} ${xCache}`}`);
        }
      }),
    );
  }
  return cold;
}
