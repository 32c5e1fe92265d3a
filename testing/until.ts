import { setTimeout as sleep } from 'node:timers/promises';

const EVERY_MS = 10;

/** Looks again and again until `isSo` holds; fails after `withinMs`, naming what was waited for. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>, withinMs = 20_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`after ${withinMs} ms still not so: ${what}`);
    await sleep(EVERY_MS);
  }
}
