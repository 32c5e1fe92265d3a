import { describeFault, type InputFault } from '../../core/errors.ts';

const MAX_FAULTS_SHOWN = 20;

/**
 * Refused input for people: at most 20 faults, one a line, how many more there are, and how to go on. Ends with a line end.
 * `total` is the number of all faults where only the first ones were kept. Bad lines can be stepped over with
 * `--skip-bad`, other faults cannot, nor (`canSkip` false) those of a list that holds nothing else.
 * `undone` says what the command would have done.
 */
export function formatFaults(faults: readonly InputFault[], total: number = faults.length, canSkip = true, undone = 'sent'): string {
  const shown = faults.slice(0, MAX_FAULTS_SHOWN);
  const lines = [`prewarm: nothing was ${undone}, because the input is not right:`, ...shown.map((fault) => `  ${describeFault(fault)}`)];
  if (total > shown.length) lines.push(`  and ${total - shown.length} more`);
  if (canSkip && shown.length > 0 && shown.every((fault) => fault.line !== undefined)) {
    lines.push('Correct these lines, or go on without them: --skip-bad');
  }
  return `${lines.join('\n')}\n`;
}
