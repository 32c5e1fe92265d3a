import { describe, expect, it } from 'vitest';
import { readUrlList } from '../../lists/url-list.ts';
import { isTableRow, separatorOf } from '../../lists/table-header.ts';
import { foreignLine } from '../../lists/foreign-content.ts';
import { parseHeaderLine } from '../../core/request/headers.ts';
import { inputFault } from '../../core/input-fault.ts';
import { parseNotifyUrl } from '../../core/request/notify-url.ts';
import { readFailedUrl } from '../../core/report/result-row.ts';
import { parseTargetUrl } from '../../core/request/url.ts';
import { createUrlIntake } from '../../core/request/url-intake.ts';

const MEGABYTE = 1_000_000;
/** A linear reading takes milliseconds; the quadratic pattern that once stood here took hours. */
const WIDE_MARGIN_MS = 2000;

const UNITS = [
  ' ',
  '\u00a0',
  '\t',
  '.',
  '/',
  '%',
  ',',
  ';',
  '"',
  '""',
  '&',
  '&#1',
  '#',
  '<',
  '(',
  '-',
  '0',
  'a',
  ' 1',
  ' #',
  ',"',
  '\u200b',
  '\ufffd',
];

const texts = UNITS.flatMap((unit) => {
  const run = unit.repeat(MEGABYTE / unit.length);
  return [run, `https://www.example.com/${run}b`, `"${run}`, `${run}https:/`];
});

async function readAsList(text: string): Promise<void> {
  async function* chunks() {
    yield Buffer.from(`url,x\n${text}\n`);
    yield Buffer.from(text.slice(0, 60_000));
  }
  const list = readUrlList(chunks(), { field: 'list', intake: createUrlIntake(null) });
  for await (const batch of list.batches) expect(batch).toBeDefined();
}

describe('a megabyte of the worst text', () => {
  it.each([
    ['a URL', (text: string) => parseTargetUrl(text)],
    ['a URL just short enough to be looked at', (text: string) => parseTargetUrl(text.slice(0, 24_500))],
    ['a header line', (text: string) => parseHeaderLine(text)],
    ['a notify_url', (text: string) => parseNotifyUrl(text)],
    ['a row of a report', (text: string) => readFailedUrl(`${text},failed,x`)],
    ['a row of a report whose first field is quoted', (text: string) => readFailedUrl(`"${text}",SIN2-P1,"${text}`)],
    ['a value that is shown', (text: string) => inputFault('url', text, 'is wrong')],
    ['a row of a table', (text: string) => isTableRow(text)],
    ['a separator line', (text: string) => separatorOf(`sep=${text}`)],
    ['the first line of a file', (text: string) => foreignLine(text)],
    ['a list', readAsList],
  ])('a megabyte of the worst text is read in linear time as %s', async (_, read) => {
    const slow: string[] = [];
    for (const text of texts) {
      const begun = performance.now();
      await read(text);
      if (performance.now() - begun > WIDE_MARGIN_MS) slow.push(text.slice(0, 40));
    }
    expect(slow).toEqual([]);
  });
});
