import type { InputFault } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import { choosePops } from '../../core/pops/pop-choice.ts';
import { popCatalogue } from '../../data/catalogue.ts';

/** POPs that a message names as examples. */
const HINTS = 3;

/** Reads `--pops` of a command that simulates them; what is wrong is added to `faults`. Such a command takes POPs by name only. */
export function readSimulatedPops(given: readonly string[], faults: InputFault[]): readonly string[] {
  const names = given
    .flatMap((list) => list.split(','))
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (names.length === 0) {
    faults.push(inputFault('--pops', given.join(','), 'names no POP; write some such as SIN2-P1,FRA56-P4'));
    return [];
  }
  const context = { catalogue: popCatalogue(), suffix: '.cloudfront.net', field: '--pops' } as const;
  const choice = choosePops({ targetType: 'pop', names }, context);
  for (const fault of choice.faults) {
    const place = (['country', 'region'] as const).flatMap((targetType) => choosePops({ targetType, names: [fault.value] }, context).pops);
    const some = place.slice(0, HINTS).map(({ pop }) => pop);
    faults.push(
      some.length === 0
        ? fault
        : { ...fault, message: `is a place, and POPs are simulated by name; write some of it, such as ${some.join(', ')}` },
    );
  }
  return choice.pops.map(({ pop }) => pop);
}
