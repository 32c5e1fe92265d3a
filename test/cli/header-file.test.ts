import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseRunOptions } from '../../cli/run-options.ts';
import { parseSubmitOptions } from '../../cli/submit-options.ts';
import { parseTimingOptions } from '../../cli/timing-options.ts';
import { describeFault, InvalidInput } from '../../core/errors.ts';
import { temporaryDir } from '../embedded/temporary-dir.ts';

const URL = 'https://d111111abcdef8.cloudfront.net/a';
const API = { PREWARM_ENDPOINT: 'http://127.0.0.1:1', PREWARM_API_KEY: 'key' };

function fileOf(text: string): string {
  const path = join(temporaryDir(), 'headers');
  writeFileSync(path, text);
  return path;
}

function faultsOf(parse: () => unknown): string {
  try {
    parse();
    return '';
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    return error.faults.map(describeFault).join('\n');
  }
}

const readers = [
  { command: 'run', parse: (raw: object) => parseRunOptions(undefined, { url: [URL], ...raw }) },
  { command: 'submit', parse: (raw: object) => parseSubmitOptions(undefined, { url: [URL], ...raw }, API) },
  { command: 'timing', parse: (raw: object) => parseTimingOptions(URL, { ...raw }) },
];

test.each(readers)('$command takes headers from a file beside those of the command line', ({ parse }) => {
  const told = JSON.stringify(
    parse({ header: ['Accept-Encoding: gzip'], headerFile: fileOf('Authorization: Bearer hush\r\n\nCookie: a=b\n') }),
  );
  for (const part of ['gzip', 'Bearer hush', 'a=b']) expect(told).toContain(part);
});

test.each(readers)('$command tells what is wrong with a file of headers, and never a value', ({ parse }) => {
  const faults = (text: string, header: readonly string[] = []) => faultsOf(() => parse({ headerFile: fileOf(text), header }));
  expect(faults('hush')).toContain('--header-file');
  expect(faults('Host: hush')).toContain('--header-file: "Host"');
  expect(faults('Cookie: hush\u0001hush')).toContain('--header-file: "Cookie"');
  expect(faults('cookie: hush', ['Cookie: mine'])).toContain('is given by --header too');
  for (const text of ['hush', 'Host: hush', 'Cookie: hush\u0001hush', 'A: hush\nA: hush']) expect(faults(text)).not.toContain('hush');
  expect(faults('cookie: hush', ['Cookie: mine'])).not.toContain('hush');
  expect(faultsOf(() => parse({ headerFile: '/none' }))).toContain('--header-file: "/none": cannot be read (ENOENT)');
});
