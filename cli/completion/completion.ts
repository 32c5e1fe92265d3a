import type { Command } from 'commander';
import { formatBashCompletion } from './bash-completion.ts';
import { describeProgram } from './describe-commands.ts';
import { formatZshCompletion } from './zsh-completion.ts';

const FORMATS = { bash: formatBashCompletion, zsh: formatZshCompletion } as const;

export type Shell = keyof typeof FORMATS;

/** `prewarm completion SHELL`: prints a script made from the program's own definition. Returns the exit code. */
export function completion(program: Command, shell: Shell): number {
  process.stdout.write(FORMATS[shell](describeProgram(program)));
  return 0;
}
