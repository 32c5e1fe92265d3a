import { expect, test } from 'vitest';
import { createNotifier } from '../../../adapters/http/notifier.ts';
import { parseNotifyUrl } from '../../../core/request/notify-url.ts';
import { openNotifiedServer } from '../../../testing/notified-server.ts';

const QUICK = { allowPrivateAddresses: true, firstPauseMs: 5, timeoutMs: 2000 };

test('a listener is notified once, as JSON over TLS', async () => {
  const { url, caPem, bodies } = await openNotifiedServer();
  expect(await createNotifier({ ...QUICK, ca: caPem }).post(url, { request_id: 'ä' })).toEqual({ told: true });
  expect(bodies).toEqual([{ request_id: 'ä' }]);
});

test('a failing listener is asked three times, and one that refuses or redirects once', async () => {
  const recovering = await openNotifiedServer([503, 429, 200]);
  expect(await createNotifier({ ...QUICK, ca: recovering.caPem }).post(recovering.url, {})).toEqual({ told: true });
  expect(recovering.bodies).toHaveLength(3);
  const ailing = await openNotifiedServer([500]);
  const failed = await createNotifier({ ...QUICK, ca: ailing.caPem }).post(ailing.url, {});
  expect(failed).toEqual({ told: false, fault: `localhost:${ailing.port} answered 500` });
  expect(ailing.bodies).toHaveLength(3);
  for (const status of [404, 307]) {
    const refusing = await openNotifiedServer([status]);
    expect(await createNotifier({ ...QUICK, ca: refusing.caPem }).post(refusing.url, {})).toMatchObject({ told: false });
    expect(refusing.bodies).toHaveLength(1);
  }
});

test('a notification of a silent listener ends by itself, and at once when it is no longer wanted', async () => {
  const { url, caPem, bodies } = await openNotifiedServer([null]);
  const notifier = createNotifier({ ...QUICK, ca: caPem, timeoutMs: 150 });
  expect(await notifier.post(url, {})).toMatchObject({ told: false, fault: expect.stringContaining('no answer in time') });
  expect(bodies).toHaveLength(3);
  const stop = new AbortController();
  const told = createNotifier({ ...QUICK, ca: caPem, timeoutMs: 60_000 }).post(url, {}, stop.signal);
  setTimeout(() => stop.abort(), 50);
  expect(await told).toMatchObject({ told: false });
});

test('the notifier refuses private addresses, unknown authorities and plain http, and no fault shows a secret', async () => {
  const { url, port, caPem, bodies } = await openNotifiedServer();
  const refusing = createNotifier({ ...QUICK, allowPrivateAddresses: false, ca: caPem });
  const private_ = [url, `https://127.0.0.1:${port}/?hush`, `https://[::1]:${port}/?hush`, `https://[::ffff:7f00:1]:${port}/?hush`];
  for (const address of private_) {
    const outcome = await refusing.post(address, {});
    expect(outcome).toMatchObject({ told: false, fault: expect.stringContaining('private or reserved') });
    expect(JSON.stringify(outcome)).not.toContain('hush');
  }
  expect(await createNotifier(QUICK).post(url, {})).toMatchObject({ told: false, fault: expect.stringMatching(/certificate/) });
  expect(await createNotifier(QUICK).post(url.replace('https', 'http'), {})).toMatchObject({ told: false });
  expect(bodies).toEqual([]);
});

test('the notifier takes a URL by https only, without a password, in 2,048 bytes and without its fragment', () => {
  expect(parseNotifyUrl(' HTTPS://Hooks.Example.com/a b#c ')).toEqual({ url: 'https://hooks.example.com/a%20b' });
  for (const bad of [
    '',
    'http://a.example/',
    'https:a.example',
    'https:///a',
    'https://a:b@c.example/',
    'https://a.exa\nmple/',
    'ftp://a',
  ]) {
    expect(parseNotifyUrl(bad)).toHaveProperty('fault');
  }
  expect(parseNotifyUrl(`https://a.example/${'a'.repeat(2030)}`)).toHaveProperty('url');
  expect(parseNotifyUrl(`https://a.example/${'a'.repeat(2031)}`)).toHaveProperty('fault');
});
