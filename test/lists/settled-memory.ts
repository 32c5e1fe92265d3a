import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

/** What is really held after a collection, bytes. Freed buffers are swept beside the program and counted out by the next one. */
export async function settledMemory(): Promise<{ readonly heap: number; readonly buffers: number }> {
  for (let pass = 0; pass < 3; pass++) {
    collect();
    await turn();
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return { heap: heapUsed, buffers: arrayBuffers };
}
