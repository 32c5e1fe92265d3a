import { afterAll, beforeAll, expect, test } from 'vitest';
import { synthesize } from '../lib/keep-warm/synthesize.ts';
import { synthesizeStacks, type TemplateBody } from '../lib/prewarm/synthesize-stacks.ts';
import { readPage, tablesBelow } from './pages.ts';

const PAGE = readPage('docs/parameters.md');
/** The page's word for a parameter that a deploy must be given. */
const REQUIRED = 'required';

const SYNTHESIS_MS = 120_000;

const closers: (() => Promise<void>)[] = [];
let bodies: Readonly<Record<string, TemplateBody>>;

beforeAll(async () => {
  const prewarm = await synthesizeStacks();
  const keepWarm = await synthesize();
  closers.push(
    () => prewarm.remove(),
    () => keepWarm.remove(),
  );
  bodies = {
    PrewarmStack: prewarm.own.body,
    PrewarmExistingVpcStack: prewarm.existing.body,
    LambdaPrewarmStack: keepWarm.sender.body,
    CloudfrontDynamicAPIStack: keepWarm.backend.body,
  };
}, SYNTHESIS_MS);
afterAll(async () => {
  for (const close of closers) await close();
});

type Defaults = Readonly<Record<string, string>>;

/** Names and defaults as the page writes them. Parameters with other letters first are the CDK's own. */
function defaultsOf({ Parameters }: TemplateBody): Defaults {
  const own = Object.entries(Parameters).filter(([name]) => !/^(BootstrapVersion|SsmParameterValue|AssetParameters)/.test(name));
  return Object.fromEntries(
    own.map(([name, { Default }]) => [name, Default === undefined ? REQUIRED : `${Default as string | number}` || 'empty']),
  );
}

function describedDefaults(stack: string): Defaults {
  const [rows = []] = tablesBelow(PAGE, `## ${stack}`);
  const named = rows.flatMap(([names = '', value = '']) =>
    names.split(', ').map((name) => [name, value.replace(/, or the value of .*/, '')]),
  );
  return Object.fromEntries(named) as Defaults;
}

const describedOutputs = (stack: string) => (tablesBelow(PAGE, `## ${stack}`)[1] ?? []).flatMap(([names = '']) => names.split(', '));

test.each(['PrewarmStack', 'LambdaPrewarmStack', 'CloudfrontDynamicAPIStack'])(
  'docs/parameters.md has the parameters of %s with their defaults, and its outputs',
  (stack) => {
    const body = bodies[stack];
    expect(body && describedDefaults(stack)).toEqual(body && defaultsOf(body));
    expect(describedOutputs(stack).toSorted()).toEqual(Object.keys(body?.Outputs ?? {}).toSorted());
  },
);

test('docs/parameters.md has the parameters that PrewarmExistingVpcStack has beside those of PrewarmStack', () => {
  const { Zones: _, ...shared } = describedDefaults('PrewarmStack');
  const existing = bodies['PrewarmExistingVpcStack'];
  expect(existing && { ...shared, ...describedDefaults('PrewarmExistingVpcStack') }).toEqual(existing && defaultsOf(existing));
});
