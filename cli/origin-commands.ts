import type { Command } from 'commander';
import { addEdgeOptions } from './options/add-edge-options.ts';
import { collectOption } from './options/collect-option.ts';
import { helpText } from './print/help-text.ts';
import type { ExitCode } from './exit-code.ts';

type Done = (code: ExitCode) => void;
type Raw = Readonly<Record<string, unknown>>;

const KEEP_WARM_EXAMPLES = `
Dynamic answers cannot be cached, but the handshake between POP and origin can be spared: a few requests a minute through each POP hold its connection open.
Without --for it goes on until Ctrl-C, and ends with a table. As a service, with several routes: prewarm serve --keep-warm FILE.

Examples:
  $ prewarm keep-warm --domain d111111abcdef8.cloudfront.net --host api.example.com --path /time --pops HKG62-C1,SIN2-P1 --per-minute 8
  $ prewarm keep-warm --host api.example.com --path /time --pops HKG62-C1 --per-minute 8 --for 30 --json
  $ prewarm keep-warm --host api.example.com --path /health --pops GRU3-P1 --method HEAD --header-file headers.txt

Exit codes: 0 every request was answered well, 1 some were not, 2 bad usage or input (nothing was sent), 130 interrupted.`;

const TIMING_EXAMPLES = `
Each request opens a connection of its own, as a viewer's first does; --reuse keeps it. A line per request has the form of curl's --write-out:
seconds from the start, each step including those before it. Then median, 95th percentile and maximum. With --pops, the addresses of a POP take turns, IPv6 ones where no IPv4 one can be reached.
A request is given up after 30 s; no POP waits for another.

Examples:
  $ prewarm timing https://api.example.com/time
  $ prewarm timing https://api.example.com/time --pops HKG62-C1,SIN2-P1 --count 20 --interval 30 --csv > before.csv
  $ prewarm timing https://api.example.com/time --pops HKG62-C1,SIN2-P1 --count 20 --interval 30 --compare before.csv

Exit codes: 0 every request was answered below status 400, 1 some were not, 2 bad usage or input (nothing was sent), 130 interrupted.`;

function addKeepWarm(program: Command, done: Done): void {
  const command = program
    .command('keep-warm')
    .summary("hold the POPs' connections to the origin open")
    .description('Sends a few requests a minute through each POP, spread evenly, so that its connections to the origin stay open.')
    .optionsGroup('What and where:')
    .option('--domain <NAME>', "the distribution's own name or an alias (default: found from --host)")
    .option('--host <NAME>', 'the name viewers use (default: --domain)')
    .option('--path <PATH>', 'the path to ask for, with its query string')
    .option('--pops <A,B>', 'POPs by name', collectOption)
    .option(
      '--per-minute <N>',
      "requests through each POP, 1 to 600 (default: 60, for CloudFront's own time-out of 5 s; 8 do where yours is 60 s)",
    )
    .option('--method <NAME>', 'GET or HEAD (default: GET)')
    .option("--header <'Name: value'>", 'request header (repeatable)', collectOption)
    .option('--header-file <FILE>', 'more request headers, one "Name: value" a line: other users of the machine see the command line')
    .optionsGroup('How:')
    .option('--for <MIN>', 'end after so many minutes (default: at Ctrl-C)')
    .option('--max-per-day <N>', 'send nothing where a day of it would be more requests than this (default: no limit)')
    .option('--json', 'figures on standard output, one JSON object a line');
  addEdgeOptions(command)
    .addHelpText('after', helpText(KEEP_WARM_EXAMPLES))
    .action(async (raw: Raw) => {
      const { keepWarm } = await import('./commands/keep-warm.ts');
      done(await keepWarm(raw));
    });
}

function addTiming(program: Command, done: Done): void {
  const command = program
    .command('timing')
    .summary('measure DNS, TCP, TLS, first byte and total of a URL, over time')
    .description(
      'Measures single requests for a URL: DNS, TCP, TLS, first byte and total, wherever DNS leads or through chosen POPs side by side.',
    )
    .argument('<URL>', 'the URL')
    .optionsGroup('What and where:')
    .option('--pops <A,B>', 'measure through these POPs, side by side', collectOption)
    .option('--domain <NAME>', "the distribution's own name or an alias, for --pops (default: found from the URL's host)")
    .option("--header <'Name: value'>", 'request header (repeatable)', collectOption)
    .option('--header-file <FILE>', 'more request headers, one "Name: value" a line: other users of the machine see the command line')
    .optionsGroup('How:')
    .option('--count <N>', 'requests, through each POP (default: 5)')
    .option('--interval <S>', 'seconds from one request to the next (default: 1)')
    .option('--reuse', 'keep connections instead of opening one for each request')
    .optionsGroup('Results:')
    .option('--json', 'one JSON object a request on standard output, then the summary as one')
    .option('--csv', 'CSV on standard output, the summary on standard error')
    .option('--compare <FILE>', 'tell what was gained against what --csv printed then');
  addEdgeOptions(command)
    .addHelpText('after', helpText(TIMING_EXAMPLES))
    .action(async (url: string, raw: Raw) => {
      const { timing } = await import('./commands/timing.ts');
      done(await timing(url, raw));
    });
}

/** The commands about what lies behind the edge: keeping it warm, and measuring it. */
export function addOriginCommands(program: Command, done: Done): void {
  addKeepWarm(program, done);
  addTiming(program, done);
}
