import { type InputFault, InvalidInput } from '../../core/errors.ts';
import { isEnded } from '../../core/request/request.ts';
import { popCatalogue } from '../../data/catalogue.ts';
import type { ProgressAnswer } from '../../client/api-answers.ts';
import { createApiClient } from '../../client/api-client.ts';
import { checkRequestId, readApiOptions } from '../options/api-flags.ts';
import type { RawOptions } from '../options/flags.ts';
import { elapsedOf, followRequest, howToGoOn, splitPops } from './follow-request.ts';
import { formatEnd, formatPopTable } from '../print/pop-table.ts';
import { formatPlainLine } from '../print/progress-line.ts';
import { type RemoteFailuresContext, readRemoteFailures } from '../print/remote-failures.ts';
import { createRunOutput } from '../print/run-output.ts';
import { columnsOf, wrapAt, wrapNote, wrapWords } from '../print/screen.ts';
import { describeStatusReason } from '../print/status-reason.ts';
import { readSuccessRule } from '../options/success-rule.ts';
import { untilInterrupted } from '../until-interrupted.ts';

const SUCCESS = 0;

/** How far it is in lines and a table, or how it ended. Ends with a line end. */
async function formatStatus(answer: ProgressAnswer, context: Omit<RemoteFailuresContext, 'note'>): Promise<string> {
  const { progress, pops } = splitPops(answer);
  const { stdout } = process;
  const catalogue = popCatalogue();
  const look = { color: stdout.isTTY && !process.env['NO_COLOR'], width: columnsOf(stdout), wrap: wrapAt(stdout) };
  const table = { ...look, cityOf: (pop: string) => catalogue.describe(pop).city };
  if (isEnded(progress.status)) {
    const failures = await readRemoteFailures(progress, { ...context, note: (text) => void process.stderr.write(`${text}\n`) });
    return formatEnd(progress, pops, { ...table, elapsedMs: elapsedOf(progress), failures });
  }
  const reason = progress.status_reason === null ? '' : `\n${describeStatusReason(progress.status_reason)}`;
  const rows = pops.length > 0 ? `${formatPopTable(pops, table)}\n\n` : '';
  return wrapWords(`${rows}${formatPlainLine(progress)}${reason}\n`, look.wrap);
}

/** `prewarm status ID`: how far a request is; with `--wait`, until it has ended, with the exit code of its end. */
export async function status(requestId: string, raw: RawOptions): Promise<number> {
  const isWaiting = raw['wait'] === true;
  const faults: InputFault[] = [];
  const options = readApiOptions(raw, process.env, faults);
  checkRequestId('ID', requestId, faults);
  const success = readSuccessRule(raw, faults, isWaiting);
  if (faults.length > 0) throw new InvalidInput(faults);
  const work = async (signal: AbortSignal): Promise<number> => {
    const client = createApiClient(options, signal);
    if (isWaiting) {
      const output = createRunOutput(options);
      try {
        return await followRequest(requestId, { client, output, signal, endpointHint: options.endpointHint, success });
      } finally {
        output.close();
      }
    }
    const answer = await client.progress(requestId, { pops: true });
    const context = { client, signal, endpointHint: options.endpointHint };
    process.stdout.write(options.json ? `${JSON.stringify(answer)}\n` : await formatStatus(answer, context));
    return SUCCESS;
  };
  const last = isWaiting ? howToGoOn(requestId, options.endpointHint) : 'interrupted';
  return untilInterrupted(work, () => process.stderr.write(`${wrapNote(last, wrapAt(process.stderr))}\n`));
}
