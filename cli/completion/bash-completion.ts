import type { DescribedCommand, DescribedProgram, ValueKind } from './describe-commands.ts';

/** One word of the shell, whatever is in it. */
const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

function offer(value: ValueKind, name: string): string {
  if (value.kind === 'file') return `_${name}_paths -f`;
  if (value.kind === 'folder') return `_${name}_paths -d`;
  if (value.kind === 'other') return ':';
  return `_${name}_${value.isList ? 'list' : 'words'} ${quoted(value.words.join(' '))}`;
}

const namesOf = (options: DescribedCommand['options']) => options.flatMap(({ names }) => names).join(' ');

/** What is offered after each option that takes a value, the same ones together. */
function valueCases({ commands, name }: DescribedProgram): string {
  const byOffer = new Map<string, string[]>();
  for (const command of commands) {
    for (const { names, value } of command.options) {
      if (value === null) continue;
      const text = offer(value.value, name);
      byOffer.set(text, [...(byOffer.get(text) ?? []), ...names.map((option) => `${command.name}:${option}`)]);
    }
  }
  return [...byOffer].map(([text, cases]) => `    ${cases.join('|')}) ${text}; return ;;\n`).join('');
}

function commandCase({ name: command, options, args }: DescribedCommand, name: string): string {
  const [first] = args;
  const values = first === undefined ? ':' : offer(first.value, name);
  return `    ${command}) if [[ $cur == -* ]]; then _${name}_words ${quoted(namesOf(options))}; else ${values}; fi ;;\n`;
}

/** Completion for bash from 3.2 on, which macOS still has. */
export function formatBashCompletion(program: DescribedProgram): string {
  const { name, commands, options } = program;
  const all = commands.map((command) => command.name);
  return `# bash completion of ${name}. To load it in every shell, add to ~/.bashrc: source <(${name} completion bash)

_${name}_words() {
  COMPREPLY=($(compgen -W "$1" -- "$cur"))
}

_${name}_list() {
  local before=''
  [[ $cur == *,* ]] && before=\${cur%,*},
  COMPREPLY=($(compgen -P "$before" -W "$1" -- "\${cur##*,}"))
  compopt -o nospace 2>/dev/null
}

_${name}_paths() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen "$1" -- "$cur"))
  compopt -o filenames 2>/dev/null
}

_${name}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} command='' at
  COMPREPLY=()
  # bash takes --option=value for three words.
  if [[ $cur == = ]]; then
    cur=''
  elif [[ $prev == = ]]; then
    prev=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((at = 1; at < COMP_CWORD; at++)); do
    if [[ \${COMP_WORDS[at]} != -* ]]; then
      command=\${COMP_WORDS[at]}
      break
    fi
  done
  case $command:$prev in
${valueCases(program)}  esac
  case $command in
    '') if [[ $cur == -* ]]; then _${name}_words ${quoted(namesOf(options))}; else _${name}_words ${quoted(all.join(' '))}; fi ;;
${commands.map((command) => commandCase(command, name)).join('')}  esac
}

complete -F _${name} ${name}
`;
}
