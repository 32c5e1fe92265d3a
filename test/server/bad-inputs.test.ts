import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { BAD_INPUTS, judgeBadAnswer, sendBadInput } from './bad-inputs.ts';
import { ask, KEY, newDataDir, openEdge, serve, submit, until, hasEnded, objectUrls } from './served.ts';

test('the server refuses every wrong request with the right status and the remedy, and creates nothing', async () => {
  const { flags } = await openEdge();
  const served = await serve([...flags, '--data-dir', newDataDir()]);
  const faults: string[] = [];
  for (const row of BAD_INPUTS) {
    const answer = await sendBadInput({ url: served.url, key: KEY }, row);
    for (const fault of judgeBadAnswer(row, answer)) faults.push(`${row.what}: ${fault}`);
  }
  expect(faults).toEqual([]);
  expect((await ask(served, '/requests')).body).toMatchObject({ requests: [], next: null });
  expect((await ask(served, '/instances')).body).toMatchObject({ desiredcapacity: 0 });

  // And it still works.
  const id = await submit(served, { url_list: objectUrls(2), pops: ['SIN2-P1'] });
  expect(await until(served, id, hasEnded)).toMatchObject({ status: 'FINISHED', download_count: 2 });
  expect(await served.stop()).toBe(0);
  expect(served.stderr()).not.toContain(KEY);
});

test('the server answers 400 in JSON to bytes that are not HTTP and to an odd address, and keeps serving', async () => {
  const { flags } = await openEdge();
  const served = await serve(flags);
  const { hostname, port } = new URL(served.url);
  const send = async (request: string) => {
    const socket = connect(Number(port), hostname);
    socket.write(request);
    return text(socket);
  };
  const nonsense = await send('nonsense\r\n\r\n');
  expect(nonsense).toContain('400 Bad Request');
  expect(JSON.parse(nonsense.slice(nonsense.indexOf('{')))).toMatchObject({ status: 'Failed' });
  expect(await send(`GET /healthz HTTP/1.1\r\nHost: x\r\nA: ${'b'.repeat(20_000)}\r\n\r\n`)).toContain('431');
  const announced = await send(
    `POST /prewarm HTTP/1.1\r\nHost: x\r\nx-api-key: ${KEY}\r\nContent-Length: 99999999\r\nConnection: close\r\n\r\n{`,
  );
  expect(announced).toContain('413 Payload Too Large');
  expect(await send('GET http://[ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).toContain('400');
  expect(await send('GET /healthz HTTP/1.1\r\nHost: a b c\r\nConnection: close\r\n\r\n')).toContain('400');
  expect((await ask(served, '/healthz', { key: null })).status).toBe(200);
});
