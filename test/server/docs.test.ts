import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { KEY, openEdge, serve } from './served.ts';

const run = promisify(execFile);
const BREAK = '--- next example ---';

interface Example {
  readonly command: string;
  /** As the page shows it; null: it shows none. */
  readonly answer: string | null;
}

/** Every command of a page, with the answer right below it. */
function examplesOf(markdown: string): readonly Example[] {
  return [...markdown.matchAll(/```sh\n([\s\S]*?)```\n(?:```json\n([\s\S]*?)```)?/g)].map(([, command = '', answer]) => ({
    command,
    answer: answer ?? null,
  }));
}

/** Types by name, so that figures and ids may differ. Lists show their first entry. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf);
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, shapeOf(part)]));
}

test('every command of docs/api.md works, and answers as the page says', async () => {
  const examples = examplesOf(readFileSync(new URL('../../docs/api.md', import.meta.url), 'utf8'));
  expect(examples.length).toBeGreaterThan(10);
  const { flags } = await openEdge({
    aliases: ['www.example.com'],
    objects: (path) => (path.startsWith('/missing') ? null : { size: 512 }),
  });
  const served = await serve(flags);
  const script = examples.map(({ command }) => `${command}\necho\necho '${BREAK}'`).join('\n');
  const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', script], {
    env: { ...process.env, PREWARM_ENDPOINT: served.url, PREWARM_API_KEY: KEY },
    timeout: 25_000,
  });
  const outputs = stdout.split(`${BREAK}\n`).map((output) => output.trim());
  const seen = examples.map(({ command, answer }, index) => {
    const output = outputs[index] ?? '';
    return { command, shape: answer === null ? null : shapeOf(JSON.parse(output)), failed: output.includes('"Failed"') };
  });
  const wanted = examples.map(({ command, answer }) => ({
    command,
    shape: answer === null ? null : shapeOf(JSON.parse(answer)),
    failed: answer?.includes('"Failed"') ?? false,
  }));
  expect(seen).toEqual(wanted);
});
