import { expect, test } from 'vitest';
import { REPORT_COLUMNS } from '../../core/report/result-row.ts';
import { requestBodySchema } from '../../core/request/request-body.ts';
import { isActive, isEnded, REQUEST_STATUSES } from '../../core/request/request.ts';
import type { Outcome, Reason } from '../../core/work/outcome.ts';
import { firstCellsBelow, readFiles, readPage } from './pages.ts';

/** The compiler refuses this list where a reason is missing or is none. */
const REASONS: Readonly<Record<Exclude<Reason, `status_${number}`>, true>> = {
  not_cached: true,
  not_invalidated: true,
  no_cache_header: true,
  generated: true,
  error_page: true,
  challenged: true,
  truncated: true,
  timeout: true,
  connection: true,
  protocol: true,
  tls: true,
  wrong_pop: true,
  pop_unresolvable: true,
  address_refused: true,
  too_large: true,
  exhausted: true,
  stopped: true,
};

const OUTCOMES: Readonly<Record<Outcome, true>> = { warmed: true, already_warm: true, failed: true };

test('docs/report.md explains every column of the report, in their order', () => {
  expect(firstCellsBelow(readPage('docs/report.md'), '## Columns')).toEqual(REPORT_COLUMNS);
});

test('docs/report.md explains every outcome', () => {
  expect(firstCellsBelow(readPage('docs/report.md'), '## Outcomes')).toEqual(Object.keys(OUTCOMES));
});

test('docs/troubleshooting.md explains every reason of a failure, once', () => {
  const reasons = firstCellsBelow(readPage('docs/troubleshooting.md'), '## Why a target failed');
  expect(reasons.toSorted()).toEqual(['status_<code>', ...Object.keys(REASONS)].toSorted());
});

test('docs/report.md explains every note that the code writes', () => {
  const code = readFiles('core/**/*.ts').join('\n');
  const written = [...code.matchAll(/(?:notes\.push\(|addNote\(.+, |return (?=`cause))[`']([a-z_]+=?)/g)].map(([, note = '']) => note);
  const explained = firstCellsBelow(readPage('docs/report.md'), '## Notes').map((note) => note.replace(/=.*/, '='));
  expect(explained.toSorted()).toEqual(written.toSorted());
});

test('docs/glossary.md explains every status that a request may have', () => {
  const statuses = REQUEST_STATUSES.filter((status) => isActive(status) || isEnded(status));
  expect(firstCellsBelow(readPage('docs/glossary.md'), '## Status of a request')).toEqual(statuses);
});

test('docs/api.md explains every field of the body of POST /prewarm', () => {
  const fields = firstCellsBelow(readPage('docs/api.md'), '## Warm a list of URLs').flatMap((cell) => cell.split(', '));
  expect(fields.toSorted()).toEqual(Object.keys(requestBodySchema.shape).toSorted());
});
