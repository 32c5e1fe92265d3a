import { expect, test } from 'vitest';
import { PrewarmError } from '../../core/errors.ts';
import type { Invalidations } from '../../core/ports/invalidations.ts';
import { advanceAll, getRow, ID, makeSpec, makeUrls, openFixture } from './pipeline-fixture.ts';

const spec = makeSpec(['SIN2-P1'], { invalidate: true });

test('paths are invalidated in batches, one complete before the next, all before the first size is asked', async () => {
  const created: { reference: string; paths: readonly string[] }[] = [];
  let looks = 0;
  const invalidations: Invalidations = {
    create: async (_, reference, paths) => {
      expect(looks).toBe(created.length * 2);
      created.push({ reference, paths });
      return `I${created.length}`;
    },
    isComplete: async (_, id) => {
      expect(id).toBe(`I${created.length}`);
      looks += 1;
      return looks % 2 === 0;
    },
  };
  const { pipeline, ports, asks } = openFixture({}, { invalidationPollMs: 1234 }, (ports) => ({ ...ports, invalidations }));
  await pipeline.accept({ id: ID, spec, urls: [...makeUrls(3001), 'http://www.example.com/file,3000?v=3000'] });
  const waits: (number | null)[] = [];
  while ((await getRow(ports)).status !== 'SIZING') waits.push(await pipeline.advance(ID));
  expect(asks).toEqual([]);
  expect(waits.filter((wait) => wait !== 0)).toEqual([1234, 1234]);
  expect(created.map(({ reference }) => reference)).toEqual([`${ID}-0`, `${ID}-1`]);
  expect(created[0]?.paths).toHaveLength(3000);
  expect(created[1]?.paths).toEqual(['/file,3000?v=3000']);
  expect((await getRow(ports)).invalidations).toEqual(['I1', 'I2']);
});

test('a failed invalidation ends the request as FAILED with its reason, and nothing is downloaded', async () => {
  const invalidations: Invalidations = {
    create: () => Promise.reject(new PrewarmError('invalidation', 'access denied')),
    isComplete: async () => true,
  };
  const { pipeline, ports, asks } = openFixture({}, {}, (ports) => ({ ...ports, invalidations }));
  await pipeline.accept({ id: ID, spec, urls: makeUrls(2) });
  await advanceAll(pipeline);
  expect(await getRow(ports)).toMatchObject({ status: 'FAILED', statusReason: 'the invalidation failed: access denied' });
  expect(asks).toEqual([]);
});
