import { expect, test } from 'vitest';
import { createReadBody } from '../../server/app/read-body.ts';
import type { Steps } from '../../core/steps.ts';

test('of many bodies that come together, at most two are worked on at a time, and one that is refused makes room for the next', async () => {
  const read = createReadBody();
  let under = 0;
  let most = 0;
  function* work(body: unknown): Steps<unknown> {
    most = Math.max(most, ++under);
    try {
      for (let piece = 0; piece < 5; piece++) yield;
      if (body === 3) throw new Error('refused');
      return body;
    } finally {
      under -= 1;
    }
  }
  const bodies = Array.from({ length: 10 }, (_, nth) => new Request('http://x/', { method: 'POST', body: String(nth) }));
  const ended = await Promise.allSettled(bodies.map((request) => read(request, work)));
  expect(ended.flatMap((one) => (one.status === 'fulfilled' ? [one.value.value] : []))).toEqual([0, 1, 2, 4, 5, 6, 7, 8, 9]);
  expect({ most, under }).toEqual({ most: 2, under: 0 });
});
