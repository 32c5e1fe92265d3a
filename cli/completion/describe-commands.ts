import type { Argument, Command, Option } from 'commander';
import { COUNTRY_POPS, REGION_NAMES } from '../../core/pops/pop-defaults.ts';
import { popCatalogue } from '../../data/catalogue.ts';

/** What a shell may offer as a value. */
export type ValueKind =
  | { readonly kind: 'file' }
  | { readonly kind: 'folder' }
  /** One of them, or (`isList`) several with commas between. */
  | { readonly kind: 'words'; readonly words: readonly string[]; readonly isList: boolean }
  /** Nothing: only the user knows. */
  | { readonly kind: 'other' };

export interface DescribedValue {
  /** As the help calls it: `FILE`. */
  readonly name: string;
  readonly value: ValueKind;
}

export interface DescribedOption {
  /** `--help`, `-h` */
  readonly names: readonly string[];
  readonly description: string;
  readonly isRepeatable: boolean;
  /** Null: it takes none. */
  readonly value: DescribedValue | null;
}

export interface DescribedCommand {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly DescribedOption[];
  readonly args: readonly DescribedValue[];
}

/** What a shell has to know of a program to complete its command line. */
export interface DescribedProgram {
  readonly name: string;
  readonly options: readonly DescribedOption[];
  readonly commands: readonly DescribedCommand[];
}

const FILES = ['FILE', 'PEM'];
const FOLDERS = ['DIR'];

const LISTS: Readonly<Record<string, () => readonly string[]>> = {
  '--pops': () => popCatalogue().names,
  '--countries': () => Object.keys(COUNTRY_POPS),
  '--regions': () => REGION_NAMES,
};

function kindOf(name: string, option: string | undefined, choices: readonly string[] | undefined): ValueKind {
  const list = option === undefined ? undefined : LISTS[option];
  if (choices !== undefined) return { kind: 'words', words: choices, isList: false };
  if (list !== undefined) return { kind: 'words', words: list(), isList: true };
  if (FILES.includes(name)) return { kind: 'file' };
  return FOLDERS.includes(name) ? { kind: 'folder' } : { kind: 'other' };
}

function describeOption(option: Option): DescribedOption {
  const name = /[<[](.+)[>\]]$/.exec(option.flags)?.[1];
  return {
    names: [option.long, option.short].filter((flag) => flag !== undefined && flag !== null),
    description: option.description,
    isRepeatable: option.parseArg !== undefined,
    value: name === undefined ? null : { name, value: kindOf(name, option.long ?? undefined, option.argChoices) },
  };
}

function describeArgument(argument: Argument): DescribedValue {
  const name = argument.name();
  return { name, value: kindOf(name, undefined, argument.argChoices) };
}

function optionsOf(command: Command): readonly DescribedOption[] {
  return command.createHelp().visibleOptions(command).map(describeOption);
}

export function describeProgram(program: Command): DescribedProgram {
  const commands = program.createHelp().visibleCommands(program);
  const names = commands.map((command) => command.name()).filter((name) => name !== 'help');
  return {
    name: program.name(),
    options: optionsOf(program),
    commands: commands.map((command) => ({
      name: command.name(),
      summary: command.summary() || command.description(),
      options: command.name() === 'help' ? [] : optionsOf(command),
      args:
        command.name() === 'help'
          ? [{ name: 'COMMAND', value: { kind: 'words', words: names, isList: false } }]
          : command.registeredArguments.map(describeArgument),
    })),
  };
}
