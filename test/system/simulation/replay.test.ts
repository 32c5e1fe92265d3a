import { describe, expect, it } from 'vitest';
import { simulate } from './simulate.ts';

async function linesOf(seed: number): Promise<string[]> {
  const lines: string[] = [];
  await simulate(seed, { onLine: (line) => lines.push(line) });
  return lines;
}

describe('a seed', () => {
  it.each([7, 68, 215])('a seed replays to the same events, whatever ran in between: %i', async (seed) => {
    const first = await simulate(seed);
    await simulate(seed + 1);
    expect(await simulate(seed)).toEqual(first);
    expect(await linesOf(seed)).toEqual(await linesOf(seed));
  });

  it('a seed decides everything, and another one gives other events', async () => {
    const hashes = await Promise.all([1, 2, 3, 4].map(async (seed) => (await simulate(seed)).hash));
    expect(new Set(hashes).size).toBe(4);
  });
});
