import { expect, test } from 'vitest';
import { createAgentLog } from '../../agent/agent-log.ts';
import { PrewarmError } from '../../core/errors.ts';

test('the log reports a failure with every cause, and nothing that follows a URL’s question mark', () => {
  const lines: string[] = [];
  const log = createAgentLog((line) => lines.push(line), { pid: 7 });
  const socket = new Error('connect ECONNREFUSED while asking https://example.com/a?token=secret for\n"https://example.com/b?key=secret"');
  log.warn({ err: new PrewarmError('storage', 'reading the list', { cause: socket }), tries: 2 }, 'refused');
  log.error({ err: socket }, 'failed');
  expect(lines.every((line) => line.endsWith('\n') && line.indexOf('\n') === line.length - 1)).toBe(true);
  expect(lines.join('')).not.toContain('secret');
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    level: 'warn',
    event: 'refused',
    pid: 7,
    tries: 2,
    error: [
      'storage: reading the list',
      'Error: connect ECONNREFUSED while asking https://example.com/a?... for\n"https://example.com/b?..."',
    ],
  });
});
