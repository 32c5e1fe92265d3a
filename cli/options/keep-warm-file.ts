import { readFileSync } from 'node:fs';
import type { InputFault } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import { parseRouteListText, ROUTE_LIST_EXAMPLE } from '../../core/keep-warm/route-list.ts';
import type { RouteInput } from '../../core/keep-warm/validate-route.ts';
import { popCatalogue } from '../../data/catalogue.ts';

/** The routes of a keep-warm file, a JSON list; what is wrong with it is added to `faults`, by entry. */
export function readKeepWarmFile(path: string, flag: string, faults: InputFault[]): readonly RouteInput[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    faults.push(inputFault(flag, path, `cannot be read (${code}); name a file that holds a list such as ${ROUTE_LIST_EXAMPLE}`));
    return [];
  }
  return parseRouteListText(text, { name: flag, catalogue: popCatalogue() }, faults);
}
