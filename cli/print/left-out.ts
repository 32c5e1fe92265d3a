import { plainText } from '../../core/plain-text.ts';
import type { Progress } from '../../core/report/progress.ts';

const MAX_NAMES = 10;

function listed(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMES).map(plainText).join(', ');
  return names.length > MAX_NAMES ? `${shown} and ${names.length - MAX_NAMES} more` : shown;
}

/** POPs that took no part, as the end of a sentence that says what is warm; '' where none was left out. */
export function describeLeftOut({ skipped_pops: skipped, chosen_pop_count: chosen, lost_places: lost }: Progress): string {
  if (skipped.length === 0) return '';
  const all = Math.max(chosen, skipped.length);
  const verb = skipped.length === 1 ? 'has' : 'have';
  const places = lost.length === 0 ? '' : `; no POP is left of ${listed(lost)}`;
  return `, at ${all - skipped.length} of ${all} POPs; ${skipped.length} ${verb} no address: ${listed(skipped)}${places}`;
}
