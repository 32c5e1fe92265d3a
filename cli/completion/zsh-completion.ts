import type { DescribedOption, DescribedProgram, DescribedValue } from './describe-commands.ts';

/** One word of the shell, whatever is in it. */
const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/** Text inside a specification, where colons and brackets have a meaning of their own. */
const escaped = (text: string) => text.replace(/[\\:[\]]/g, '\\$&');

function action({ name, value }: DescribedValue): string {
  if (value.kind === 'file') return '_files';
  if (value.kind === 'folder') return '_files -/';
  if (value.kind === 'other') return ' ';
  return value.isList ? `_values -s , ${name.replace(/\W+/g, '-')} ${value.words.join(' ')}` : `(${value.words.join(' ')})`;
}

const valueSpec = (value: DescribedValue) => `:${escaped(value.name)}:${action(value)}`;

/** One specification a name: each of them excludes the others, unless the option may be repeated. */
function optionSpecs({ names, description, isRepeatable, value }: DescribedOption): readonly string[] {
  const text = `[${escaped(description)}]`;
  return names.map((name) => {
    const taken = value === null ? '' : valueSpec(value);
    const prefix = isRepeatable ? '*' : names.length > 1 ? `(${names.join(' ')})` : '';
    return quoted(`${prefix}${name}${value === null || !name.startsWith('--') ? '' : '='}${text}${taken}`);
  });
}

const lines = (words: readonly string[], indent: string) => words.map((word) => `${indent}${word}`).join(' \\\n');

/** Completion for zsh 5, to be sourced or to be put as `_prewarm` into a folder of `fpath`. */
export function formatZshCompletion({ name, options, commands }: DescribedProgram): string {
  const cases = commands.map((command) => {
    const args = command.args.map((arg, at) => quoted(`${at + 1}${valueSpec(arg)}`));
    const specs = [...command.options.flatMap(optionSpecs), ...args];
    const body = specs.length === 0 ? '_message "no arguments"' : `_arguments \\\n${lines(specs, '            ')}`;
    return `        ${command.name})\n          ${body} ;;\n`;
  });
  return `#compdef ${name}
# zsh completion of ${name}. To load it in every shell, add to ~/.zshrc after compinit: source <(${name} completion zsh)

_${name}() {
  local context state line
  typeset -A opt_args
  _arguments -C \\
${lines([...options.flatMap(optionSpecs), `'1:command:->command'`, `'*::argument:->argument'`], '    ')}
  case $state in
    command)
      local -a commands
      commands=(
${commands.map((command) => `        ${quoted(`${escaped(command.name)}:${command.summary.replaceAll(':', '\\:')}`)}\n`).join('')}      )
      _describe command commands ;;
    argument)
      case $words[1] in
${cases.join('')}      esac ;;
  esac
}

if [[ $funcstack[1] == _${name} ]]; then
  _${name} "$@"
else
  compdef _${name} ${name}
fi
`;
}
