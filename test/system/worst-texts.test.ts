import { describe, expect, it } from 'vitest';
import { readUrlList } from '../../lists/url-list.ts';
import { isTableRow, separatorOf } from '../../lists/list-shape.ts';
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
/** A text with a run of so many characters is about the longest that the patterns of a URL see. A linear reading takes a millisecond, a quadratic one most of a second. */
const LONGEST_RUN = 24_500;
const NARROW_MARGIN_MS = 250;

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

/** Each holds a run of `length` characters and ends in one that is no blank where it has a beginning: blanks at an end would be trimmed unseen. */
const textsOf = (length: number) =>
  UNITS.flatMap((unit) => {
    const run = unit.repeat(length / unit.length);
    return [run, `https://www.example.com/${run}b`, `"${run}`, `${run}https:/`];
  });

const texts = textsOf(MEGABYTE);

function faultOf(text: string): string {
  const parsed = parseTargetUrl(text);
  return 'fault' in parsed ? parsed.fault : '';
}

async function readAsList(text: string): Promise<void> {
  async function* chunks() {
    yield Buffer.from(`url,x\n${text}\n`);
    // With an end, since blanks at the end of a line are trimmed unseen.
    yield Buffer.from(`${text.slice(0, 60_000)}b`);
  }
  const list = readUrlList(chunks(), { field: 'list', intake: createUrlIntake(null) });
  for await (const batch of list.batches) expect(batch).toBeDefined();
}

/** Milliseconds that the fastest of three readings took: a busy machine slows some of them down, and a quadratic pattern all of them. */
function fastestOfThree(read: () => unknown): number {
  const times = Array.from({ length: 3 }, () => {
    const begun = performance.now();
    read();
    return performance.now() - begun;
  });
  return Math.min(...times);
}

it('a URL of the worst text, just short enough for the patterns to see it, is read in linear time', () => {
  const short = textsOf(LONGEST_RUN);
  expect(short.filter((text) => /^has \d+ characters/.test(faultOf(text)))).toEqual([]);
  const slow = short.filter((text) => fastestOfThree(() => parseTargetUrl(text)) > NARROW_MARGIN_MS);
  expect(slow.map((text) => text.slice(0, 40))).toEqual([]);
});

it('a URL that is longer is refused by its length, before any pattern sees it', () => {
  for (const text of texts) expect(faultOf(text)).toBe(`has ${text.length} characters; CloudFront takes at most 8192 bytes`);
});

describe('a megabyte of the worst text', () => {
  it.each([
    ['a URL', (text: string) => parseTargetUrl(text)],
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
