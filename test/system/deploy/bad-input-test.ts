import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ask } from '../../server/served.ts';
import { type ApiTarget, BAD_INPUTS, type BadAnswer, type BadInput, judgeBadAnswer, sendBadInput } from '../../server/bad-inputs.ts';
import type { Deployment } from './deployment-suite.ts';

/** Faster than a key may ask: API Gateway's own answer, which is no answer to the row. */
async function sendPatiently(target: ApiTarget, row: BadInput): Promise<BadAnswer> {
  for (;;) {
    const answer = await sendBadInput(target, row);
    if (answer.status !== 429) return answer;
    await sleep(250);
  }
}

export function registerBadInputTest({ prod }: Deployment): void {
  test('the API refuses every wrong request as a server on one machine does, and creates nothing', async () => {
    const newest = async () => (await ask<{ requests: { request_id: string }[] }>(prod(), '/requests')).body.requests[0]?.request_id;
    const before = await newest();
    const faults: string[] = [];
    for (const row of BAD_INPUTS) {
      const answer = await sendPatiently(prod(), row);
      for (const fault of judgeBadAnswer(row, answer)) faults.push(`${row.what}: ${fault}`);
    }
    expect(faults).toEqual([]);
    expect(await newest()).toBe(before);
  });
}
