import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { temporaryDir } from '../../testing/temporary-dir.ts';
import { openNotifiedServer } from '../../testing/notified-server.ts';
import { ask, hasEnded, newDataDir, objectUrls, openEdge, serve, submit, until } from './served.ts';

/** The listener's authority is the only one that is trusted; the edge is asked by http. */
async function openBoth(answers?: readonly (number | null)[]) {
  const { edge } = await openEdge();
  const listener = await openNotifiedServer(answers);
  const dir = temporaryDir();
  writeFileSync(join(dir, 'listener.pem'), listener.caPem);
  writeFileSync(join(dir, 'map.json'), JSON.stringify(edge.httpEdgeMap));
  return {
    listener,
    flags: [
      '--edge-map',
      join(dir, 'map.json'),
      '--ca-file',
      join(dir, 'listener.pem'),
      '--allow-private-addresses',
      '--allow-private-notify',
    ],
  };
}

test("the server sends a request's end to its notify_url once, with its figures, also across a kill", async () => {
  const { listener, flags } = await openBoth([null, 200]);
  const dir = newDataDir();
  const dataDir = ['--data-dir', dir];
  const holding = (secret: string) =>
    readdirSync(dir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => readFileSync(path).includes(secret));
  const served = await serve([...flags, ...dataDir]);
  const id = await submit(served, {
    url_list: [...objectUrls(2), 'https://d111111abcdef8.cloudfront.net/o/none'].map((url) => url.replace('https', 'http')),
    pops: ['SIN2-P1'],
    notify_url: listener.url,
    header: ['Authorization: Bearer viewer-token', 'Accept-Language: de'],
  });
  await until(served, id, hasEnded);
  await vi.waitFor(() => expect(listener.bodies).toHaveLength(1), 5000);
  // The listener never answered this one, so its URL is needed still.
  expect(holding('hush')).not.toEqual([]);
  await served.kill();
  const again = await serve([...flags, ...dataDir]);
  await vi.waitFor(() => expect(again.stderr()).toContain('the end was told'), 5000);
  expect(await again.stop()).toBe(0);
  const third = await serve([...flags, ...dataDir]);
  expect(await third.stop()).toBe(0);
  expect(listener.bodies).toHaveLength(2);
  expect(listener.bodies[1]).toMatchObject({
    request_id: id,
    status: 'FINISHED',
    status_reason: null,
    total_count: 3,
    download_count: 2,
    failed_count: 1,
  });
  expect(again.stderr()).not.toContain('hush');
  for (const secret of ['hush', 'viewer-token']) expect(holding(secret)).toEqual([]);
  expect(holding('Accept-Language')).not.toEqual([]);
});

test('the server refuses need_invalidate where nothing can be invalidated, and creates nothing', async () => {
  const { flags } = await openEdge();
  const nowhere = join(temporaryDir(), 'none');
  const env = {
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: nowhere,
    AWS_SHARED_CREDENTIALS_FILE: nowhere,
    PREWARM_API_KEY: 'test-key-of-the-suite',
  };
  const off = await serve(flags, env);
  const body = { url_list: objectUrls(1), pops: ['SIN2-P1'], need_invalidate: true };
  expect((await ask<{ error_message: string }>(off, '/prewarm', { body })).body.error_message).toMatch(
    /^need_invalidate: .*--allow-domain/,
  );
  const served = await serve([...flags, '--allow-domain', '*'], env);
  const refused = await ask<{ error_message: string }>(served, '/prewarm', { body });
  expect(refused.status).toBe(400);
  expect(refused.body.error_message).toMatch(/^need_invalidate: .*AWS credentials; leave it out/);
  expect((await ask(served, '/requests')).body).toMatchObject({ requests: [] });
});

test('a server that may ask private edges posts to no private notify_url unless it is allowed to apart', async () => {
  const { listener, flags } = await openBoth();
  const end = async (more: readonly string[]) => {
    const served = await serve([...flags.filter((flag) => flag !== '--allow-private-notify'), ...more]);
    const id = await submit(served, {
      url_list: objectUrls(1).map((url) => url.replace('https', 'http')),
      pops: ['SIN2-P1'],
      notify_url: listener.url,
    });
    expect(await until(served, id, hasEnded)).toMatchObject({ status: 'FINISHED', download_count: 1 });
    await vi.waitFor(() => expect(served.stderr()).toMatch(/the end (was|could not be) told to notify_url/), 10_000);
    expect(await served.stop()).toBe(0);
    return served.stderr();
  };
  expect(await end([])).toMatch(/private or reserved/);
  expect(listener.bodies).toEqual([]);
  expect(await end(['--allow-private-notify'])).toContain('the end was told to notify_url');
  expect(listener.bodies).toHaveLength(1);
});
