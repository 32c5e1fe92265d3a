import { describe, expect, test, type TestContext } from 'vitest';
import { lastProgress, mapFlags, openScene, urlOf } from '../../../testing/scene.ts';

/** A run of three URLs, of which the origin lacks the last if `lacks` says so, through an edge that has these POPs and no others. */
async function openRun(context: TestContext, pops: readonly string[], lacks: boolean) {
  const scene = openScene(context);
  const edge = await scene.edge({ pops: pops.map((pop) => ({ pop })) });
  if (lacks) edge.setFault({ path: '/o/1k/missing' }, { kind: 'status', status: 404 });
  const list = scene.list(['/o/1k/a', '/o/1k/b', '/o/1k/missing'].map((path) => urlOf(edge, path)));
  return (...args: readonly string[]) => scene.run(['run', list, ...mapFlags(scene, edge), ...args]);
}

describe.concurrent('a run of which POPs have no address', () => {
  test('a run allows that half of the POPs of a place have no address, and none with --strict', async (context) => {
    const run = await openRun(context, ['FRA56-P4'], false);
    const half = await run('--countries', 'DE');
    expect(half.stdout).toMatch(/\n3 of 3 targets warm and verified in .*, at 1 of 2 POPs; 1 has no address: FRA60-P1\.\n$/);
    expect(half).toMatchObject({ code: 0, stderr: expect.stringContaining('DE: 2 of 21 known POPs: FRA56-P4, FRA60-P1\n') });
    expect((await run('--countries', 'DE', '--strict')).code).toBe(1);
    expect((await run('--pops', 'FRA56-P4', '--strict')).code).toBe(0);
  });

  test('a run ends with 1 where more than half of the POPs are left out, however few targets must be warm', async (context) => {
    const run = await openRun(context, ['FRA56-P4', 'CDG50-P1', 'DUB2-C1', 'LHR61-P3'], false);
    const most = await run('--regions', 'eu', '--min-success', '1%', '--json');
    expect(most.code).toBe(1);
    const last = lastProgress(most.stdout);
    expect(last).toMatchObject({ status: 'FINISHED', total_count: 12, download_count: 12, chosen_pop_count: 10, lost_places: [] });
    expect(last.skipped_pops).toHaveLength(6);
  });

  test('a run ends with 1 where one of its places has no POP left, although all others are there', async (context) => {
    const run = await openRun(context, ['SIN2-P1', 'SIN2-P2', 'IAD89-P1'], false);
    const lost = await run('--countries', 'singapore,DE', '--json');
    expect(lost.code).toBe(1);
    expect(lastProgress(lost.stdout)).toMatchObject({
      download_count: 6,
      chosen_pop_count: 4,
      skipped_pops: ['FRA56-P4', 'FRA60-P1'],
      lost_places: ['DE'],
    });
    const told = await run('--countries', 'singapore,DE', '--min-success', '1%');
    expect(told).toMatchObject({ code: 1, stdout: expect.stringContaining('; no POP is left of DE.\n') });
  });
});

describe.concurrent('a run of which some targets fail', () => {
  test('a run ends with 0 where the percentage of --min-success is warm, and with 1 where it is not', async (context) => {
    const run = await openRun(context, ['SIN2-P1', 'FRA56-P4'], true);
    const pops = ['--pops', 'SIN2-P1,FRA56-P4'];
    expect((await run(...pops)).code).toBe(1);
    expect(await run(...pops, '--min-success', '66%')).toMatchObject({ code: 0, stdout: expect.stringContaining('2 failed') });
    expect((await run(...pops, '--min-success', '66.667%')).code).toBe(1);
    expect((await run(...pops, '--min-success', '66%', '--strict')).code).toBe(0);
    expect(await run(...pops, '--min-success', '0')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--min-success: "0": write a percentage above 0 and up to 100, as in 99% or 99.5%'),
    });
  });
});
