import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { ask, hasEnded, newDataDir, objectUrls, openEdge, serve, type Served, submit, until } from './served.ts';

const PATIENCE_MS = 20_000;

/** How often each request's end stands in the logs. */
function endsIn(...served: readonly Served[]): Readonly<Record<string, number>> {
  const ends: Record<string, number> = {};
  for (const line of served.flatMap(({ stderr }) => stderr().split('\n'))) {
    if (!line.includes('"request ended"')) continue;
    const { request_id: id } = JSON.parse(line) as { request_id: string };
    ends[id] = (ends[id] ?? 0) + 1;
  }
  return ends;
}

const once = (ids: readonly string[]) => Object.fromEntries(ids.map((id) => [id, 1]));

const cancel = (served: Served, id: string) => ask(served, `/prewarm?req_id=${id}`, { method: 'DELETE' });

test('the server reports the end of each request once, whoever ends it or asks again, also across a kill', {
  timeout: 90_000,
}, async () => {
  const { flags } = await openEdge({ latencies: { edgeMs: 20 } });
  const options = [...flags, '--data-dir', newDataDir()];
  const served = await serve(options);
  const finished: string[] = [];
  for (let n = 0; n < 4; n++) finished.push(await submit(served, { url_list: objectUrls(3, `f${n}-`), pops: ['SIN2-P1'] }));
  const stopped = await submit(served, { url_list: objectUrls(400, 's'), pops: ['SIN2-P1'] });
  await cancel(served, stopped);
  for (const id of finished) await until(served, id, hasEnded);
  await vi.waitFor(() => expect(endsIn(served)).toEqual(once([...finished, stopped])), PATIENCE_MS);

  // What has ended has its side effects done again at each of these, and is told no more.
  for (const id of [...finished, stopped, stopped]) expect((await cancel(served, id)).status).toBe(200);
  const running = await submit(served, { url_list: objectUrls(300, 'r'), pops: ['SIN2-P1'] });
  await until(served, running, ({ status }) => status === 'IN_PROGRESS');
  await served.kill();

  const again = await serve(options);
  for (const id of finished) await cancel(again, id);
  await until(again, running, hasEnded, 60_000);
  await cancel(again, running);
  await vi.waitFor(() => expect(endsIn(again)).toEqual(once([running])), PATIENCE_MS);
  await sleep(300);
  expect(endsIn(served, again)).toEqual(once([...finished, stopped, running]));
  expect(await again.stop()).toBe(0);
  const third = await serve(options);
  await sleep(300);
  expect(await third.stop()).toBe(0);
  expect(endsIn(third)).toEqual({});
});
