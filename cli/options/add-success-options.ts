import type { Command } from 'commander';

/** Adds what decides between the exit codes 0 and 1 when a request has ended. */
export function addSuccessOptions(command: Command): Command {
  return command
    .option('--min-success <P%>', 'exit with 0 if at least so many percent of the targets are warm (default: 100%)')
    .option('--strict', 'exit with 1 if any POP was left out (default: more than half, or all of a named region or country)');
}
