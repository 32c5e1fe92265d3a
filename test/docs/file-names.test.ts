import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from './pages.ts';

/** What a file may do with the thing it is named after, in the name of its main export. */
const VERBS = ['add', 'build', 'create', 'describe', 'find', 'format', 'is', 'load', 'open', 'parse', 'read', 'view', 'write'];

/** Programs: they are started, and export nothing but what the platform calls. */
const ENTRIES = /(^|\/)(entry|main|embedded)\.ts$|^bin\/app\.ts$|^packaging\/bundle\.ts$|current-time\.mjs$|\.config\.ts$/;

/** Files of several exports that belong to one subject, none of which is the main one. */
const SUBJECTS = [
  'adapters/aws/asg-group.ts',
  'adapters/aws/aws-error.ts',
  'adapters/aws/dynamo-rows.ts',
  'adapters/embedded/request-rows.ts',
  'agent/agent-config.ts',
  'cli/options/api-flags.ts',
  'cli/options/request-flags.ts',
  'cli/print/quantities.ts',
  'cli/print/screen.ts',
  'client/api-answers.ts',
  'core/ask-scope.ts',
  'core/errors.ts',
  'core/keep-warm/route.ts',
  'core/pops/pop-defaults.ts',
  'core/ports/ports.ts',
  'core/quantile.ts',
  'core/request/operator-claim.ts',
  'core/request/request.ts',
  'core/work/sized-list.ts',
  'core/work/task.ts',
  'deployment/names.ts',
  'deployment/tables.ts',
  'embedded/edge-access.ts',
  'embedded/failures-file.ts',
  'lambda/event-records.ts',
  'lambda/pipeline-ports.ts',
  'lib/prewarm/permissions.ts',
  'lib/shared/ec2.ts',
  'server/app/answer-schemas.ts',
];

/** Files whose main export has another name. The list may only become shorter. */
const NAMED_DIFFERENTLY = [
  'cli/commands/drill-survey.ts',
  'cli/compile-cache.ts',
  'cli/completion/describe-commands.ts',
  'cli/hangup.ts',
  'cli/options/header-file.ts',
  'cli/options/same-list.ts',
  'cli/options/same-options.ts',
  'cli/options/simulate-fault.ts',
  'cli/print/drill-tables.ts',
  'cli/print/failure-lines.ts',
  'cli/print/output-faults.ts',
  'cli/print/progress-bar.ts',
  'cli/print/progress-line.ts',
  'cli/print/simulate-text.ts',
  'cli/print/text-table.ts',
  'cli/print/timing-tables.ts',
  'cli/signals.ts',
  'cli/simulate-command.ts',
  'core/keep-warm/budget.ts',
  'core/keep-warm/route-list.ts',
  'core/pipeline/enqueue-tasks.ts',
  'core/pipeline/find-headers.ts',
  'core/pipeline/invalidate-request.ts',
  'core/pipeline/plan-request.ts',
  'core/pipeline/size-request.ts',
  'core/pipeline/slicing.ts',
  'core/pops/address-policy.ts',
  'core/report/cause.ts',
  'core/report/end-view.ts',
  'core/report/forecast.ts',
  'core/report/nobody-came.ts',
  'core/report/time-histogram.ts',
  'core/request/invalidation-path.ts',
  'core/request/request-places.ts',
  'core/request/url.ts',
  'core/work/patience.ts',
  'data/catalogue.ts',
  'embedded/serve-keep-warm.ts',
  'lambda/api/report-links.ts',
  'lists/csv-rows.ts',
  'lists/foreign-content.ts',
  'lists/list-shape.ts',
  'server/app/report-rows.ts',
];

const EXPORTED = /^export\s+(?:default\s+)?(?:abstract\s+)?(?:async\s+)?(?:const|function\*?|class|interface|type)\s+(\w+)/gm;
const plain = (name: string) => name.replaceAll(/[-_]/g, '').toLowerCase();

/** Whether one of the exports is named as the file is, alone or after a verb: `pop-table.ts` has `formatPopTable`. */
function isNamedAfterExport(path: string): boolean {
  const name = plain(basename(path).replace(/\.\w+$/, ''));
  const exported = [...readFileSync(join(ROOT, path), 'utf8').matchAll(EXPORTED)].map(([, each = '']) => plain(each));
  return exported.some((each) => each === name || VERBS.some((verb) => each === `${verb}${name}`));
}

const FILES = execFileSync('git', ['ls-files', '*.ts', '*.mjs'], { cwd: ROOT, encoding: 'utf8' })
  .split('\n')
  .filter((path) => /^(?!(?:test|testing|bench)\/)[a-z]/.test(path) && !path.endsWith('.d.ts') && !ENTRIES.test(path));

test('a file is named after its main export, or is one of the exceptions that are named here', () => {
  expect(FILES.length).toBeGreaterThan(200);
  const others = FILES.filter((path) => !isNamedAfterExport(path));
  expect(others.toSorted()).toEqual([...SUBJECTS, ...NAMED_DIFFERENTLY].toSorted());
});
