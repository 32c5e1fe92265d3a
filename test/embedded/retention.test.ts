import { expect, test, vi } from 'vitest';
import type { EndedRequest } from '../../adapters/embedded/ended-requests.ts';
import { systemClock } from '../../core/clock.ts';
import { createRetention } from '../../embedded/retention.ts';

const request = (id: string): EndedRequest => ({ id, endedAt: 1, notifies: false });

test('a request that cannot be deleted is named in the log and holds up none of the others', async () => {
  const requests = ['a', 'b', 'c'].map(request);
  const removed: string[] = [];
  const lines: unknown[] = [];
  const note = (fields: unknown, message: unknown) => void lines.push([fields, message]);
  const retention = createRetention({
    ended: {
      before: (_at, _max, after) => (after === null ? requests : []),
      async remove(id) {
        if (id === 'b') throw new Error('a file of it may not be removed');
        removed.push(id);
      },
    },
    lists: { resultMetadata: async () => null },
    clock: systemClock,
    log: { info: note, error: note } as never,
    keepDays: 1,
  });
  retention.start();
  await vi.waitFor(() => expect(removed).toEqual(['a', 'c']));
  await retention.close();
  expect(lines).toEqual([
    [expect.objectContaining({ request_id: 'b' }), expect.stringContaining('could not be deleted')],
    [{ requests: 2, keep_days: 1 }, 'old requests were deleted'],
  ]);
});
