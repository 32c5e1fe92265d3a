import type { z } from 'zod';
import { type InputFault, InvalidInput } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import type { instancesAnswer } from '../../client/api-answers.ts';
import { createApiClient } from '../../client/api-client.ts';
import { checkRequestId, readApiOptions } from '../options/api-flags.ts';
import { parseFlags, type RawOptions, wholeNumber } from '../options/flags.ts';
import { counted, formatCount } from '../print/quantities.ts';
import { untilInterrupted } from '../until-interrupted.ts';
import { MAX_AGENTS } from '../../core/request/request-input.ts';

const SUCCESS = 0;

/** A request ends by `cancel`, not by having no instances. */
const countOf = (isOfRequest: boolean) => wholeNumber(isOfRequest ? 1 : 0, MAX_AGENTS);

function parseInstancesOptions(count: string | undefined, raw: RawOptions) {
  const faults: InputFault[] = [];
  const api = readApiOptions(raw, process.env, faults);
  const requestId = typeof raw['request'] === 'string' ? raw['request'] : null;
  const parsed = parseFlags({ count: countOf(requestId !== null) }, count === undefined ? {} : { count }, []);
  if (count !== undefined && parsed.count === undefined)
    faults.push(inputFault('COUNT', count, `write a whole number from ${requestId === null ? 0 : 1} to ${MAX_AGENTS}`));
  if (requestId !== null) checkRequestId('--request', requestId, faults);
  if (requestId !== null && count === undefined) faults.push(inputFault('COUNT', '', 'is missing; --request says whose number is changed'));
  if (faults.length > 0) throw new InvalidInput(faults);
  return { ...api, count: parsed.count ?? null, requestId };
}

/** `2 agents wanted (2 running, at most 8)`, with what else the API tells. */
export function describeInstances(answer: z.output<typeof instancesAnswer>): string {
  const {
    desiredcapacity: wanted,
    in_service: running,
    pending = 0,
    on_demand: onDemand = 0,
    maximum,
    last_failed_activity: failed,
  } = answer;
  const told = [
    ...(running === undefined ? [] : [`${formatCount(running)} running`]),
    ...(pending === 0 ? [] : [`${formatCount(pending)} starting`]),
    ...(onDemand === 0 ? [] : [`${formatCount(onDemand)} on demand`]),
    ...(maximum === undefined ? [] : [`at most ${formatCount(maximum)}`]),
  ];
  const line = `${counted(wanted, 'agent')} wanted${told.length === 0 ? '' : ` (${told.join(', ')})`}`;
  return failed === undefined || failed === null ? line : `${line}\nLast failed activity of the group, ${failed.at} UTC: ${failed.message}`;
}

/** The same after a change, of which the API tells the number in a sentence that speaks of its own group. */
function describeChange(message: string): string {
  const [, wanted] = /Desired Capacity: (\d+)$/.exec(message) ?? [];
  return wanted === undefined ? message : describeInstances({ desiredcapacity: Number(wanted) });
}

/** `prewarm instances [COUNT]`: how many agents are wanted, or changes that. */
export async function instances(count: string | undefined, raw: RawOptions): Promise<number> {
  const options = parseInstancesOptions(count, raw);
  return untilInterrupted(
    async (signal) => {
      const client = createApiClient(options, signal);
      if (options.count === null) {
        const answer = await client.instances();
        process.stdout.write(`${options.json ? JSON.stringify(answer) : describeInstances(answer)}\n`);
      } else {
        const answer = await client.changeInstances(options.count, options.requestId);
        process.stdout.write(`${options.json ? JSON.stringify(answer) : describeChange(answer.message)}\n`);
      }
      return SUCCESS;
    },
    () => process.stderr.write('interrupted\n'),
  );
}
