import { evaluate } from '../prewarm/evaluate-template.ts';
import { resourcesOf, type TemplateBody } from '../prewarm/synthesize-stacks.ts';

export type Properties = Readonly<Record<string, unknown>>;

export function propertiesOf(body: TemplateBody, type: string, given: Readonly<Record<string, string>> = {}): Properties[] {
  return resourcesOf(body, type).map(([, { Properties }]) => evaluate(body, Properties, given) as Properties);
}

export function onlyOne(body: TemplateBody, type: string, given: Readonly<Record<string, string>> = {}): Properties {
  const [first, ...others] = propertiesOf(body, type, given);
  if (first === undefined || others.length > 0) throw new Error(`${others.length + 1} resources of ${type}`);
  return first;
}
