import { expect, test } from 'vitest';
import type { SimulatedEdge } from '../../../simulator/simulated-edge.ts';
import { openAnswerServer, type ServerAnswer } from '../../../testing/answer-server.ts';
import { mapFlags, openScene } from '../../../testing/scene.ts';

const HOST = 'https://d111111abcdef8.cloudfront.net';

/** The edge's endpoint, but for trouble at first, and for a path that it refuses without a word of which. */
async function openMoodyEndpoint(edge: SimulatedEdge, refused: string, troubles: number) {
  let left = troubles;
  const endpoint = await openAnswerServer((request): ServerAnswer => {
    left -= 1;
    if (left >= 0) return { status: left % 2 === 0 ? 503 : 429, body: 'later' };
    if (request.startsWith('GET')) return { status: 200, body: JSON.stringify(edge.invalidations.find(request.split('/').at(-1) ?? '')) };
    const { callerReference, paths } = JSON.parse(endpoint.received.at(-1)?.body ?? '') as { callerReference: string; paths: string[] };
    if (paths.includes(refused)) return { status: 400, body: 'your request contains one or more invalid invalidation paths' };
    const created = edge.invalidations.create(callerReference, paths);
    return created.state === 'accepted'
      ? { status: 201, body: JSON.stringify(created.invalidation) }
      : { status: 409, body: created.state };
  });
  return endpoint;
}

test('a run names a refused path at its end as failed, though it is cached, and warms the others anew after all trouble', async (context) => {
  const scene = openScene(context);
  const edge = await scene.edge({ pops: [{ pop: 'SIN2-P1' }] });
  const flags = [...mapFlags(scene, edge), '--pops', 'SIN2-P1'];
  const list = scene.list(['a', 'b', 'c', 'd', 'e'].map((name) => `${HOST}/o/1k/${name}`));
  expect((await scene.run(['run', list, ...flags])).code).toBe(0);

  const endpoint = await openMoodyEndpoint(edge, '/o/1k/c', 3);
  context.onTestFinished(() => endpoint.close());
  const { code, stdout, stderr } = await scene.run([
    'run',
    list,
    ...flags,
    '--invalidate',
    '--invalidation-endpoint',
    endpoint.url,
    '--out',
    scene.at('report.csv'),
  ]);
  expect([code, stderr]).toEqual([1, expect.stringContaining('FINISHED')]);
  expect(stdout).toContain('1 path was refused when it came to invalidating, and the URLs fail as not_invalidated: /o/1k/c.');
  const rows = scene.report('report.csv').map(({ url = '', outcome, reason }) => `${url.at(-1)} ${outcome} ${reason}`.trimEnd());
  expect(new Set(rows)).toEqual(new Set(['a warmed', 'b warmed', 'c failed not_invalidated', 'd warmed', 'e warmed']));
});

test('a list of more paths than may be invalidated is refused before anything is sent', async (context) => {
  const scene = openScene(context);
  const edge = await scene.edge({ pops: [{ pop: 'SIN2-P1' }] });
  const list = scene.list(['a', 'b'].map((name) => `${HOST}/o/1k/${name}`));
  const args = ['run', list, ...mapFlags(scene, edge), '--pops', 'SIN2-P1', '--invalidate'];
  const endpoint = ['--invalidation-endpoint', edge.invalidationEndpoint];
  const refused = await scene.run([...args, ...endpoint, '--max-invalidation-paths', '1']);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toMatch(
    /--invalidate: .*more than 1 path.*leave --invalidate out, or raise the maximum by --max-invalidation-paths/s,
  );
  expect(edge.invalidations.count).toBe(0);
  expect(edge.counters().edge).toMatchObject({ gets: 0, heads: 0 });
  expect((await scene.run([...args, ...endpoint, '--max-invalidation-paths', '2'])).code).toBe(0);
});
