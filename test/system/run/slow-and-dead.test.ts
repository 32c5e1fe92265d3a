import { expect, test } from 'vitest';
import { mapFlags, openScene, urlOf } from '../../../testing/scene.ts';

test('a run awaits an answer for as long as --first-byte-timeout says', async (context) => {
  const scene = openScene(context);
  const edge = await scene.edge({ latencies: { edgeMs: 2500, regionalMs: 0, originMs: 0 } });
  const args = ['run', '--url', urlOf(edge, '/o/1k/a'), '--pops', 'SIN2-P1', ...mapFlags(scene, edge), '--out', scene.at('report.csv')];
  const hasty = await scene.run([...args, '--first-byte-timeout', '1']);
  expect({ code: hasty.code, rows: scene.report('report.csv') }).toMatchObject({
    code: 1,
    rows: [{ outcome: 'failed', reason: 'timeout', notes: 'cause=no first byte within 1 s' }],
  });
  const patient = await scene.run([...args, '--first-byte-timeout', '20']);
  expect({ code: patient.code, rows: scene.report('report.csv') }).toMatchObject({ code: 0, rows: [{ reason: '' }] });
  const wrong = await scene.run([...args, '--first-byte-timeout', '181']);
  expect(wrong).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--first-byte-timeout: "181": write a whole number of seconds from 1 to 180'),
  });
});

test('a run reports a proxy of the environment in one line, and does not use it', async (context) => {
  const scene = openScene(context);
  const edge = await scene.edge();
  const args = ['run', '--url', urlOf(edge, '/o/1k/a'), '--pops', 'SIN2-P1', ...mapFlags(scene, edge)];
  const { code, stderr } = await scene.run([...args, '--json'], { env: { https_proxy: 'http://127.0.0.1:9' } });
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: 'https_proxy is not used: downloads go straight to the addresses of the POPs, and calls to AWS go there directly\n',
  });
});
