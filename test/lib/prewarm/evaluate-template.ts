import type { TemplateBody } from './synthesize-stacks.ts';

type Parameters = Readonly<Record<string, string>>;
type Intrinsic = Readonly<Record<string, unknown>>;

const NOTHING = Symbol('AWS::NoValue');

/** What CloudFormation makes of a value with these parameters: conditions decided, strings put together, what is not there left out. */
export function evaluate(body: TemplateBody, value: unknown, given: Parameters): unknown {
  const defaults = Object.entries(body.Parameters).map(([name, { Default }]) => [name, String(Default)] as const);
  return createEvaluation(body, { ...Object.fromEntries(defaults), ...given })(value);
}

function createEvaluation(body: TemplateBody, parameters: Parameters): (value: unknown) => unknown {
  const functions: Readonly<Record<string, (args: never) => unknown>> = {
    Ref: (name: string) => {
      if (name === 'AWS::NoValue') return NOTHING;
      const value = parameters[name] ?? `<${name}>`;
      return body.Parameters[name]?.['Type'] === 'CommaDelimitedList' ? [value].flat().join(',').split(',') : value;
    },
    'Fn::GetAtt': (path: readonly string[]) => `<${path.join('.')}>`,
    'Fn::If': ([name, then, otherwise]: [string, unknown, unknown]) => go(go({ Condition: name }) === true ? then : otherwise),
    'Fn::Equals': ([left, right]: [unknown, unknown]) => go(left) === go(right),
    'Fn::Not': ([condition]: [unknown]) => go(condition) === false,
    'Fn::Or': (conditions: readonly unknown[]) => conditions.some((condition) => go(condition) === true),
    'Fn::Join': ([separator, parts]: [string, readonly unknown[]]) => (go(parts) as string[]).join(separator),
    'Fn::Split': ([separator, text]: [string, unknown]) => String(go(text)).split(separator),
    'Fn::Select': ([index, list]: [number | string, unknown]) => (go(list) as unknown[])[Number(index)],
    'Fn::GetAZs': () => ['<first zone>', '<second zone>'],
    'Fn::Base64': (text: unknown) => go(text),
    Condition: (name: string) => go(body.Conditions?.[name]),
  };
  function go(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(go).filter((item) => item !== NOTHING);
    if (typeof value !== 'object' || value === null) return value;
    const [name, args] = Object.entries(value as Intrinsic)[0] ?? [];
    const call = name === undefined ? undefined : functions[name];
    if (call !== undefined && Object.keys(value).length === 1) return call(args as never);
    const fields = Object.entries(value).map(([key, field]) => [key, go(field)] as const);
    return Object.fromEntries(fields.filter(([, field]) => field !== NOTHING));
  }
  return go;
}
