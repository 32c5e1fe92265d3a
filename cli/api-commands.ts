import type { Command } from 'commander';
import { addSuccessOptions } from './options/add-success-options.ts';
import { collectOption } from './options/collect-option.ts';
import { helpText } from './print/help-text.ts';
import { addListOptions } from './options/list-options.ts';
import type { ExitCode } from './exit-code.ts';

type Done = (code: ExitCode) => void;
type Raw = Readonly<Record<string, unknown>>;

const SUBMIT_EXAMPLES = `
FILE is CSV with a column named url, or one URL a line. Without --wait, the request's id is printed, and the request goes on by itself.

Examples:
  $ export PREWARM_ENDPOINT=http://127.0.0.1:8787 PREWARM_API_KEY=...
  $ prewarm submit urls.csv --regions apac,eu --wait
  $ id=$(prewarm submit urls.csv --pops SIN2-P1,FRA56-P4 --timeout 60) && prewarm status $id --wait
  $ prewarm submit urls.csv --endpoint https://HOST/prod/ --json`;

const STATUS_EXAMPLES = `
Exit codes: 0 the question was answered; with --wait those of run.

Examples:
  $ prewarm status 3e1c9d3a-4c59-4d8e-9a37-6cbb3b0c4d5f
  $ prewarm status 3e1c9d3a-4c59-4d8e-9a37-6cbb3b0c4d5f --wait --json`;

const SUMMARY_EXAMPLES = `
Examples:
  $ prewarm summary 3e1c9d3a-4c59-4d8e-9a37-6cbb3b0c4d5f
  $ prewarm summary 3e1c9d3a-4c59-4d8e-9a37-6cbb3b0c4d5f --out failed.csv
  $ prewarm summary 3e1c9d3a-4c59-4d8e-9a37-6cbb3b0c4d5f --json`;

const CANCEL_EXAMPLES = `
Examples:
  $ prewarm cancel 3e1c9d3a-4c59-4d8e-9a37-6cbb3b0c4d5f`;

const INSTANCES_EXAMPLES = `
Without --request, COUNT is the operator's own claim: it comes on top of the requests', and lapses after an hour. 0 takes it back.

Examples:
  $ prewarm instances                                    how many are wanted and run
  $ prewarm instances 4                                  four more for an hour
  $ prewarm instances 8 --request 3e1c9d3a-4c59-4d8e-9a37-6cbb3b0c4d5f`;

const REQUESTS_EXAMPLES = `
Examples:
  $ prewarm requests
  $ prewarm requests --limit 1000 --json`;

function addApiOptions(command: Command, json: string): Command {
  return command
    .optionsGroup('The API:')
    .option('--endpoint <URL>', 'where it is, with its base path (default: PREWARM_ENDPOINT)')
    .option('--api-key <KEY>', 'what opens it (default: PREWARM_API_KEY, which other users of the machine cannot see)')
    .option('--json', json);
}

function addSubmit(program: Command, done: Done): void {
  const submit = program
    .command('submit')
    .summary('hand a list of URLs to a server or a deployed stack')
    .description('Hands a list to the HTTP API, which warms every URL of it through every chosen POP.');
  addListOptions(submit)
    .option('--accept-status <A,B>', 'statuses that count as done (default: any 2xx)', collectOption)
    .option('--first-byte-timeout <S>', 'seconds to wait for the first byte of an answer, 1 to 180 (default: 30)')
    .optionsGroup('How:')
    .option('--timeout <MIN>', "end after so many minutes, 1 to 1440 (default: the server's, 30)")
    .option('--agents <N>', 'agents that this request claims, 1 to 1000 (default: 1)')
    .option('--notify-url <URL>', 'https URL that gets a POST with the figures when the request has ended')
    .option('--wait', 'show the progress until it has ended, with the exit code of its end');
  addSuccessOptions(submit);
  addApiOptions(submit, 'the answer on standard output; with --wait progress objects, one a line')
    .addHelpText('after', helpText(SUBMIT_EXAMPLES))
    .action(async (file: string | undefined, raw: Raw) => {
      const { submit } = await import('./commands/submit.ts');
      done(await submit(file, raw));
    });
}

function addStatus(program: Command, done: Done): void {
  const status = program
    .command('status')
    .summary('tell how far a request is')
    .description('Tells how far a request is, or how it ended, with a row per POP.')
    .argument('<ID>', 'the id of the request')
    .option('--wait', 'show the progress until it has ended, with the exit code of its end');
  addSuccessOptions(status);
  addApiOptions(status, 'progress objects on standard output, one a line')
    .addHelpText('after', helpText(STATUS_EXAMPLES))
    .action(async (id: string, raw: Raw) => {
      const { status } = await import('./commands/status.ts');
      done(await status(id, raw));
    });
}

function addSummary(program: Command, done: Done): void {
  const summary = program
    .command('summary')
    .summary('list what failed of a request')
    .description('Lists the POPs and URLs that failed of a request that has ended, and links to its report.')
    .argument('<ID>', 'the id of the request')
    .option('--all', 'list all URLs and POPs that the API tells, instead of the first ten')
    .option('--out <FILE>', 'write the report of all failed targets there, a CSV file');
  addApiOptions(summary, 'the answer on standard output')
    .addHelpText('after', helpText(SUMMARY_EXAMPLES))
    .action(async (id: string, raw: Raw) => {
      const { summary } = await import('./commands/summary.ts');
      done(await summary(id, raw));
    });
}

function addCancel(program: Command, done: Done): void {
  const cancel = program
    .command('cancel')
    .summary('end a request')
    .description('Ends a request as STOPPED. What it has warmed stays warm; one that has ended stays as it is.')
    .argument('<ID>', 'the id of the request');
  addApiOptions(cancel, 'the answer on standard output')
    .addHelpText('after', helpText(CANCEL_EXAMPLES))
    .action(async (id: string, raw: Raw) => {
      const { cancel } = await import('./commands/cancel.ts');
      done(await cancel(id, raw));
    });
}

function addInstances(program: Command, done: Done): void {
  const instances = program
    .command('instances')
    .summary('tell or change how many agents work')
    .description('Tells how many agents are wanted, run and may run, or changes how many are wanted.')
    .argument('[COUNT]', 'how many are to be claimed')
    .option('--request <ID>', 'the claim of that request is changed');
  addApiOptions(instances, 'the answer on standard output')
    .addHelpText('after', helpText(INSTANCES_EXAMPLES))
    .action(async (count: string | undefined, raw: Raw) => {
      const { instances } = await import('./commands/instances.ts');
      done(await instances(count, raw));
    });
}

function addRequests(program: Command, done: Done): void {
  const requests = program
    .command('requests')
    .summary('list the requests, newest first')
    .description('Lists the requests that the API knows, newest first.')
    .option('--limit <N>', 'at most so many (default: 20)');
  addApiOptions(requests, 'one request a line on standard output')
    .addHelpText('after', helpText(REQUESTS_EXAMPLES))
    .action(async (raw: Raw) => {
      const { requests } = await import('./commands/requests.ts');
      done(await requests(raw));
    });
}

/** The commands that ask the HTTP API of a server or a deployed stack. */
export function addApiCommands(program: Command, done: Done): void {
  addSubmit(program, done);
  addStatus(program, done);
  addSummary(program, done);
  addCancel(program, done);
  addInstances(program, done);
  addRequests(program, done);
}
