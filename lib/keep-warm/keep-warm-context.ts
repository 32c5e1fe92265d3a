import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Node } from 'constructs';
import { type InputFault, InvalidInput } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import { parseRouteListText, ROUTE_LIST_EXAMPLE } from '../../core/keep-warm/route-list.ts';
import { aliasFault, type RouteInput } from '../../core/keep-warm/validate-route.ts';
import { popCatalogue } from '../../data/catalogue.ts';

/** Routes that the context names, in a file that the function is given as it is. */
export interface KeepWarmContext {
  readonly file: string;
  readonly routes: readonly RouteInput[];
}

/** Reads `-c keepWarm=FILE`, a JSON list of routes; null without it. Throws InvalidInput with all that is wrong with it. */
export function readKeepWarmContext(node: Node): KeepWarmContext | null {
  const given: unknown = node.tryGetContext('keepWarm') ?? null;
  if (given === null || given === '') return null;
  const field = 'context keepWarm';
  if (typeof given !== 'string')
    throw new InvalidInput([inputFault(field, given, `is no path; name a file that holds a list such as ${ROUTE_LIST_EXAMPLE}`)]);
  const file = resolve(given);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new InvalidInput([
      inputFault(field, given, `cannot be read (${code}); name a file that holds a list such as ${ROUTE_LIST_EXAMPLE}`),
    ]);
  }
  const faults: InputFault[] = [];
  const routes = parseRouteListText(text, { name: field, catalogue: popCatalogue() }, faults);
  if (faults.length === 0) faults.push(...routes.flatMap((route, place) => aliasFault(route, `${field}[${place}].domain`) ?? []));
  if (faults.length > 0) throw new InvalidInput(faults);
  return { file, routes };
}
