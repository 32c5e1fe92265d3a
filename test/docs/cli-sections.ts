import type { EventEmitter } from 'node:events';
import type { Command, Option } from 'commander';
import { createProgram } from '../../cli/program.ts';
import { knownPopsOf, type TargetType } from '../../core/pops/pop-choice.ts';
import { COUNTRY_POPS, REGION_POPS } from '../../core/pops/pop-defaults.ts';
import { popCatalogue } from '../../data/catalogue.ts';

/** The options of private edges belong to several commands; the page has them once. */
const SHARED_GROUP = /^Private edges/;
const SHARED_SECTION = 'private-edges';
const OTHER_OPTIONS = 'Options:';

const program = createProgram(() => undefined);
const help = program.createHelp();

export const commands = (): readonly Command[] => help.visibleCommands(program).filter((command) => command.name() !== 'help');

export const optionsOf = (command: Command): readonly Option[] => help.visibleOptions(command).filter(({ long }) => long !== '--help');

const cell = (text: string) => text.replaceAll('|', String.raw`\|`);

function optionTable(options: readonly Option[]): string {
  const rows = options.map(({ flags, description }) => `| \`${cell(flags)}\` | ${cell(description)} |`);
  return ['| Option | Does |', '| --- | --- |', ...rows].join('\n');
}

/** The notes and examples that the help shows below the options. */
function textBelow(command: Command): string {
  const texts: string[] = [];
  // Its types leave out that a command is an EventEmitter, which writes these texts when it is asked for them.
  const emitter = command as unknown as EventEmitter;
  emitter.emit('afterHelp', { error: false, command, write: (text: string) => texts.push(text) });
  return `\`\`\`text\n${texts.join('').trim()}\n\`\`\``;
}

function describeCommand(command: Command): string {
  const groups = Map.groupBy(optionsOf(command), ({ helpGroupHeading }) => helpGroupHeading ?? OTHER_OPTIONS);
  const tables = [...groups].map(([heading, options]) =>
    SHARED_GROUP.test(heading)
      ? `It takes the options of [private edges](#${SHARED_SECTION}) too.`
      : `**${heading.replace(/:$/, '')}**\n\n${optionTable(options)}`,
  );
  return [command.description(), `\`prewarm ${command.name()} ${command.usage()}\``, ...tables, textBelow(command)].join('\n\n');
}

/** The POPs that the names of places stand for, and how many known ones there are beside them. */
function placeTable(targetType: TargetType, head: string, places: readonly (readonly [string, readonly string[]])[]): string {
  const rows = places.map(
    ([name, pops]) => `| \`${name}\` | ${pops.join(', ')} | ${knownPopsOf(targetType, name, popCatalogue()).length} |`,
  );
  return [`| ${head} | Takes | Known POPs there |`, '| --- | --- | --- |', ...rows].join('\n');
}

/** What docs/cli.md has between its marks, by the name of the mark. */
export function cliSections(): ReadonlyMap<string, string> {
  const rows = commands().map((command) => `| [\`${command.name()}\`](#${command.name()}) | ${cell(command.summary())} |`);
  const shared = commands().flatMap((command) =>
    optionsOf(command).filter(({ helpGroupHeading = '' }) => SHARED_GROUP.test(helpGroupHeading)),
  );
  return new Map([
    ['commands', ['| Command | Does |', '| --- | --- |', ...rows].join('\n')],
    ['regions', placeTable('region', 'Region', Object.entries(REGION_POPS))],
    [
      'countries',
      placeTable(
        'country',
        'Country',
        Object.entries(COUNTRY_POPS).map(([name, { pops }]) => [name, pops]),
      ),
    ],
    [SHARED_SECTION, optionTable([...new Map(shared.map((option) => [option.flags, option])).values()])],
    ...commands().map((command) => [command.name(), describeCommand(command)] as const),
  ]);
}
