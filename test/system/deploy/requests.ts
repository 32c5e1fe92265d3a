import { setTimeout as sleep } from 'node:timers/promises';
import { type Answered, ask, hasEnded, progressOf, type Progress } from '../../server/served.ts';
import type { DeployedSystem } from './deployed-system.ts';

const ASK_EVERY_MS = 100;

/** Waits for a progress in which `isThere` holds; says what agents wrote when it never comes. */
export async function untilProgress(
  system: DeployedSystem,
  id: string,
  isThere: (progress: Progress) => boolean,
  withinMs = 120_000,
): Promise<Progress> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const progress = await progressOf(system, id);
    if (isThere(progress)) return progress;
    if (Date.now() > deadline) throw new Error(`never came: ${JSON.stringify(progress)}\n${await system.story()}`);
    await sleep(ASK_EVERY_MS);
  }
}

export const untilEnded = (system: DeployedSystem, id: string, withinMs?: number) => untilProgress(system, id, hasEnded, withinMs);

/** Makes a request; returns the whole answer. API Gateway's 429 is waited out. */
export async function submitRequest(
  system: DeployedSystem,
  body: Readonly<Record<string, unknown>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answered<{ request_id: string; timeout_at: string }>> {
  for (;;) {
    const answered = await ask<{ request_id: string; timeout_at: string }>(system, '/prewarm', { body, headers });
    if (answered.status !== 429) return answered;
    await sleep(ASK_EVERY_MS);
  }
}

/** The same for what is accepted; returns the request's id. */
export async function makeRequest(
  system: DeployedSystem,
  body: Readonly<Record<string, unknown>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { status, body: answer } = await submitRequest(system, body, headers);
  if (status !== 200) throw new Error(`refused with ${status}: ${JSON.stringify(answer)}`);
  return answer.request_id;
}
