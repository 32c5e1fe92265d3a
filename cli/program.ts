import { Argument, Command, CommanderError } from 'commander';
import packageFile from '../package.json' with { type: 'json' };
import { addEdgeOptions } from './options/add-edge-options.ts';
import { addApiCommands } from './api-commands.ts';
import { collectOption } from './options/collect-option.ts';
import type { Shell } from './completion/completion.ts';
import { helpColumns, helpText } from './print/help-text.ts';
import { addSuccessOptions } from './options/add-success-options.ts';
import { addListOptions } from './options/list-options.ts';
import { addOriginCommands } from './origin-commands.ts';
import { surviveOutputFaults, throwIfOutputLost } from './print/output-faults.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { reportError } from './print/report-error.ts';
import { addSimulate } from './simulate-command.ts';

const PROGRAM_EXAMPLES = `
Examples:
  $ prewarm drill                                        the whole thing against a simulated edge, no account needed
  $ prewarm simulate                                     that edge alone, to try run, serve and the others on
  $ prewarm run urls.csv --domain d111111abcdef8.cloudfront.net --regions apac,eu
  $ prewarm run --url https://www.example.com/launch.mp4 --pops SIN2-P1,FRA56-P4 --out report.csv
  $ prewarm serve --data-dir warm.d                      the same as an HTTP API
  $ prewarm submit urls.csv --endpoint https://HOST/prod --wait
  $ prewarm keep-warm --host api.example.com --path /time --pops HKG62-C1 --per-minute 8
  $ prewarm timing https://api.example.com/time --pops HKG62-C1,SIN2-P1 --count 20

Exit codes: 0 every target is warm, 1 some are not, 2 bad usage or input (nothing was sent), 130 interrupted.`;

const RUN_EXAMPLES = `
FILE is CSV with a column named url, or one URL a line. Without --pops, --countries or --regions, the default POPs of all regions are warmed.
The URLs that failed are shown at the end, the first ten of them; all failed targets are in failures.csv in --data-dir, else in a temporary file that is named.

Examples:
  $ prewarm run urls.csv --domain d111111abcdef8.cloudfront.net --pops SIN2-P1,FRA56-P4
  $ prewarm run urls.csv --countries japan,DE --header 'Accept-Encoding: gzip, br' --timeout 30
  $ sitemap-urls | prewarm run - --regions all --json --out report.csv
  $ prewarm run urls.csv --data-dir warm.d               Ctrl-C, and later:
  $ prewarm run --resume --data-dir warm.d`;

const DRILL_EXAMPLES = `
FILE is a list as for run; the example list without it. Shows the cold caches, warms them, shows them warm, and proves it. Nothing leaves this machine.

Examples:
  $ prewarm drill
  $ prewarm drill urls.csv --pops NRT57-P3,GRU3-P1`;

const SERVE_EXAMPLES = `
The API is described at /openapi.json. Agents are child processes of the server; requests go on after a restart with the same --data-dir.

Examples:
  $ prewarm serve --data-dir warm.d                      makes an API key and shows it once
  $ prewarm serve --port 0 --json                        any free port; the first line tells it: {"url":"http://127.0.0.1:PORT"}
  $ prewarm serve --keep-warm routes.json                [{"host": "api.example.com", "path": "/time", "pops": ["HKG62-C1"], "per_minute": 8}]
  $ prewarm serve --host 0.0.0.0 --api-key-file /etc/prewarm/keys --data-dir /var/lib/prewarm`;

const COMPLETION_EXAMPLES = `
Examples:
  $ source <(prewarm completion bash)                    now; in ~/.bashrc, always
  $ source <(prewarm completion zsh)                     now; in ~/.zshrc after compinit, always`;

function addRun(program: Command, done: (code: ExitCode) => void): void {
  const run = program
    .command('run')
    .summary('warm a list of URLs through chosen POPs from this machine, and prove it')
    .description(
      'Downloads every URL of a list through every chosen POP of a CloudFront distribution, and proves that each now answers from its cache.',
    );
  addListOptions(run)
    .optionsGroup('How:')
    .option('--timeout <MIN>', 'end after so many minutes, 1 to 1440 (default: none)')
    .option('--accept-status <A,B>', 'statuses that count as done, such as 301 or 404 (default: any 2xx)', collectOption)
    .option('--first-byte-timeout <S>', 'seconds to wait for the first byte of an answer, 1 to 180 (default: 30)')
    .option('--agents <N>', 'agent processes (default: one a core, less one)')
    .option('--concurrency <N>', 'downloads in flight per agent (default: found by measuring)')
    .option('--data-dir <DIR>', 'keep the state there, so that the run can be resumed (default: a temporary one)')
    .option('--resume', 'go on with the interrupted run of --data-dir; FILE may be given again')
    .option('--invalidation-endpoint <URL>', "invalidate at a simulated edge instead of CloudFront's API")
    .option('--max-invalidation-paths <N>', 'most paths to invalidate; each costs 0.005 USD beyond 1,000 a month (default: 3000)')
    .optionsGroup('Results:')
    .option('--out <FILE>', 'write the report there, one CSV row per target')
    .option('--json', 'progress objects on standard output, one a line; the last one has the POPs and the first ten failures too')
    .option('--verbose', 'show every URL that failed and why, instead of the first ten');
  addSuccessOptions(run);
  addEdgeOptions(run)
    .addHelpText('after', helpText(RUN_EXAMPLES))
    .action(async (file: string | undefined, raw: Readonly<Record<string, unknown>>) => {
      const { run } = await import('./commands/run.ts');
      done(await run(file, raw));
    });
}

function addDrill(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('drill')
    .summary('rehearse against a simulated edge on this machine, and prove it')
    .description(
      'Starts a simulated edge, shows it cold, warms it, shows it warm, and tells what a viewer gains. Exit 0 only if the proof holds.',
    )
    .argument('[FILE]', 'the list (default: the example list)')
    .option('--pops <A,B>', 'POPs to simulate', collectOption)
    .addHelpText('after', helpText(DRILL_EXAMPLES))
    .action(async (file: string | undefined, raw: Readonly<Record<string, unknown>>) => {
      const { drill } = await import('./commands/drill.ts');
      done(await drill(file, raw));
    });
}

function addServe(program: Command, done: (code: ExitCode) => void): void {
  const serve = program
    .command('serve')
    .summary('serve the HTTP API from this machine')
    .description('Serves the HTTP API, and warms what it is asked for from this machine, until it is ended by SIGTERM or Ctrl-C.')
    .option(
      '--host <ADDRESS>',
      'address to listen at; one that other machines reach needs keys of 20 characters or more (default: 127.0.0.1)',
    )
    .option('--port <N>', 'port to listen at, 0 for any that is free (default: 8787)')
    .option('--data-dir <DIR>', 'keep the state there (default: a temporary one)')
    .option('--keep-days <N>', 'days for which ended requests and their reports are kept (default: 30)')
    .option(
      '--api-key <[NAME=]KEY>',
      'key that clients send as x-api-key (repeatable; other users of the machine see the command line; default: PREWARM_API_KEYS, PREWARM_API_KEY, or made and shown once)',
      collectOption,
    )
    .option(
      '--api-key-file <FILE>',
      'keys in a file that only this user may read: lines name=KEY, or name:read=KEY for one that may only ask',
    )
    .option(
      '--allow-domain <NAME>',
      'distribution that requests may warm and, with need_invalidate, invalidate (repeatable; * for every one; default: warm any, invalidate none)',
      collectOption,
    )
    .option('--private-requests', 'a key sees and ends the requests that it made, and no others')
    .option('--trust-proxy', 'the log takes who asks from the last X-Forwarded-For, which the proxy before the server sets')
    .option('--max-agents <N>', 'most agent processes at a time (default: one a core)')
    .option('--max-targets <N>', 'most targets, URLs times POPs, of one request (default: 10000000)')
    .option('--max-invalidation-paths <N>', 'most paths that one request invalidates (default: 3000)')
    .option('--concurrency <N>', 'downloads in flight per agent (default: found by measuring)')
    .option(
      '--public-url <URL>',
      'where clients reach it, for its links to reports, as behind a TLS proxy (default: where each has reached it)',
    )
    .option('--allow-private-notify', 'notify_url may lead to private and loopback addresses')
    .option('--show-success-urls', 'GET /status lists the URLs that are done too')
    .option(
      '--keep-warm <FILE>',
      'hold connections from POPs to origins open: a JSON list of domain, host, path, pops, per_minute, method, headers',
    )
    .option('--keep-warm-max-per-day <N>', 'do not start where a day of --keep-warm would be more requests than this (default: no limit)')
    .option('--invalidation-endpoint <URL>', "invalidate at a simulated edge instead of CloudFront's API")
    .option('--json', 'say on standard output where it serves, as one JSON line');
  addEdgeOptions(serve)
    .addHelpText('after', helpText(SERVE_EXAMPLES))
    .action(async (raw: Readonly<Record<string, unknown>>) => {
      const { serve } = await import('./commands/serve.ts');
      done(await serve(raw));
    });
}

function addCompletion(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('completion')
    .summary('print a script that completes the command line in a shell')
    .description('Prints a script by which bash or zsh completes commands, options, files, POPs, countries and regions.')
    .addArgument(new Argument('<SHELL>', 'the shell').choices(['bash', 'zsh']))
    .addHelpText('after', helpText(COMPLETION_EXAMPLES))
    .action(async (shell: Shell) => {
      const { completion } = await import('./completion/completion.ts');
      done(completion(program, shell));
    });
}

export function createProgram(done: (code: ExitCode) => void): Command {
  const program = new Command('prewarm')
    .description(packageFile.description)
    .version(packageFile.version)
    .addHelpText('after', helpText(PROGRAM_EXAMPLES))
    .configureHelp({ helpWidth: helpColumns() })
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error:/, 'prewarm:')) })
    .showHelpAfterError('(--help lists what there is)')
    .exitOverride();
  addRun(program, done);
  addServe(program, done);
  addDrill(program, done);
  addSimulate(program, done);
  addOriginCommands(program, done);
  addApiCommands(program, done);
  addCompletion(program, done);
  return program;
}

/** Commands that send nothing of themselves. */
const STARTED: readonly string[] = ['serve', 'simulate'];

/** Runs the command line and returns the exit code. Everything that goes wrong has been reported when it returns. */
export async function runProgram(args: readonly string[]): Promise<ExitCode> {
  surviveOutputFaults();
  try {
    const code = await parseAndRun(args);
    // An interrupted command has lost its output anyway.
    if (code !== EXIT.interrupted) await throwIfOutputLost();
    return code;
  } catch (error) {
    const undone = STARTED.includes(args[0] ?? '') ? 'started' : 'sent';
    return reportError(error, { stderr: process.stderr, debug: process.env['PREWARM_DEBUG'] === '1', undone });
  }
}

async function parseAndRun(args: readonly string[]): Promise<ExitCode> {
  let code: ExitCode = 0;
  const program = createProgram((result) => {
    code = result;
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.badInput;
    throw error;
  }
}
