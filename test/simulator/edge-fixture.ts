import { afterEach } from 'vitest';
import type { SimulatedEdgeOptions } from '../../simulator/simulated-edge-options.ts';
import { createSimulatedEdge, type SimulatedEdge } from '../../simulator/simulated-edge.ts';

/** Starts edges that end with the test that started them. */
export function useEdges(): (options?: SimulatedEdgeOptions) => Promise<SimulatedEdge> {
  const edges: SimulatedEdge[] = [];
  afterEach(async () => {
    await Promise.all(edges.splice(0).map((edge) => edge.close()));
  });
  return async (options) => {
    const edge = await createSimulatedEdge(options);
    edges.push(edge);
    return edge;
  };
}
