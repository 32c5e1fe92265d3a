import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseKeepWarmOptions } from '../../../cli/options/keep-warm-options.ts';
import { parseRunOptions } from '../../../cli/options/run-options.ts';
import { parseSubmitOptions } from '../../../cli/options/submit-options.ts';
import { parseTimingOptions } from '../../../cli/options/timing-options.ts';
import { describeFault, type InputFault, InvalidInput } from '../../../core/errors.ts';
import { parseRouteListText } from '../../../core/keep-warm/route-list.ts';
import { popCatalogue } from '../../../data/catalogue.ts';
import { temporaryDir } from '../../../testing/temporary-dir.ts';

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
  {
    command: 'keep-warm',
    parse: (raw: object) => parseKeepWarmOptions({ host: 'api.example.com', path: '/time', pops: ['SIN2-P1'], ...raw }),
  },
  { command: 'timing', parse: (raw: object) => parseTimingOptions(URL, { ...raw }) },
];

test.each(readers)('$command takes headers from a file beside those of the command line', ({ parse }) => {
  const told = JSON.stringify(
    parse({ header: ['Accept-Encoding: gzip'], headerFile: fileOf('Authorization: Bearer hush\r\n\nCookie: a=b\n') }),
  );
  for (const part of ['gzip', 'Bearer hush', 'a=b']) expect(told).toContain(part);
});

test.each(readers)('$command reports what is wrong with a file of headers, and never shows a value', ({ parse }) => {
  const faults = (text: string, header: readonly string[] = []) => faultsOf(() => parse({ headerFile: fileOf(text), header }));
  expect(faults('hush')).toContain('--header-file');
  expect(faults('Host: hush')).toContain('--header-file: "Host"');
  expect(faults('Cookie: hush\u0001hush')).toContain('--header-file: "Cookie"');
  expect(faults('cookie: hush', ['Cookie: mine'])).toContain('is given by --header too');
  for (const text of ['hush', 'Host: hush', 'Cookie: hush\u0001hush', 'A: hush\nA: hush']) expect(faults(text)).not.toContain('hush');
  expect(faults('cookie: hush', ['Cookie: mine'])).not.toContain('hush');
  expect(faultsOf(() => parse({ headerFile: '/none' }))).toContain('--header-file: "/none": cannot be read (ENOENT)');
});

test.each([
  [
    'a header that cannot be sent',
    '[{"host": "api.example.com", "path": "/", "pops": ["SIN2-P1"], "headers": ["Host: hush"]}]',
    '"Host": ',
  ],
  ['a line without a name', '[{"host": "api.example.com", "path": "/", "pops": ["SIN2-P1"], "headers": ["hush"]}]', 'has no colon'],
  ['a name given twice', '[{"host": "api.example.com", "path": "/", "pops": ["SIN2-P1"], "headers": ["A: hush", "a: hush"]}]', '"A, a": '],
  ['headers that are no list', '[{"host": "api.example.com", "path": "/", "pops": ["SIN2-P1"], "headers": "A: hush"}]', 'write a list of'],
  ['a key that is not known', '[{"hosts": "x", "path": "/", "pops": ["SIN2-P1"], "headers": ["A: hush"]}]', '"hosts": knows no hosts'],
  ['an entry that is no list', '{"host": "api.example.com", "headers": ["A: hush"]}', 'holds no list of 1 to 100 entries'],
  ['text that is no JSON', '[{"headers": ["A: hush" "b"]}]', 'is not JSON (line 1 column 25); write'],
  ['text that breaks off', '[{"headers": ["A: hush', 'is not JSON'],
  ['text that begins wrongly', 'A: hush', 'is not JSON'],
])('keep-warm refuses a list of routes with %s and does not show a value of a header', (_name, text, wanted) => {
  const faults: InputFault[] = [];
  parseRouteListText(text, { name: '--keep-warm', catalogue: popCatalogue() }, faults);
  const told = faults.map(describeFault).join('\n');
  expect(told).toContain(wanted);
  expect(told).not.toContain('hush');
  expect(told).toMatch(/^--keep-warm/);
});
