import { type InputFault, InvalidInput } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import { REQUEST_ID } from '../../client/api-answers.ts';
import type { ApiAccess } from '../../client/api-client.ts';
import { endpointFlag, parseFlags, type RawOptions, textFlag, yesFlag } from './flags.ts';

/** What every command that asks the API takes. */
export interface ApiOptions extends ApiAccess {
  readonly json: boolean;
  /** Repeats `--endpoint` in the commands that are named to the user; '' where the environment holds it. */
  readonly endpointHint: string;
}

const FLAGS = { endpoint: endpointFlag, apiKey: textFlag('an API key'), json: yesFlag } as const;
/** What a header may hold. */
const KEY = /^[\u0021-\u007e]+$/;

function readEndpoint(flag: string | undefined, env: NodeJS.ProcessEnv, faults: InputFault[]): string {
  if (flag !== undefined) return flag;
  const value = env['PREWARM_ENDPOINT'] ?? '';
  if (value === '') {
    faults.push(inputFault('--endpoint', '', "is missing; give the API's URL here or in PREWARM_ENDPOINT: http://127.0.0.1:8787"));
    return '';
  }
  const parsed = endpointFlag.safeParse(value);
  if (!parsed.success) faults.push(inputFault('PREWARM_ENDPOINT', value, parsed.error.issues[0]?.message ?? 'is no URL'));
  return value;
}

function readKey(flag: string | undefined, env: NodeJS.ProcessEnv, faults: InputFault[]): string {
  const name = flag === undefined ? 'PREWARM_API_KEY' : '--api-key';
  const key = flag ?? env['PREWARM_API_KEY'] ?? '';
  // The key itself is not shown: messages end up in logs.
  if (key === '') faults.push(inputFault('--api-key', '', 'is missing; give the key here or, unseen by others, in PREWARM_API_KEY'));
  else if (!KEY.test(key)) faults.push(inputFault(name, '', 'holds blanks or characters beyond ASCII, which no key does'));
  return key;
}

/** Where the API is and how to answer. What is wrong is added to `faults`. */
export function readApiOptions(raw: RawOptions, env: NodeJS.ProcessEnv, faults: InputFault[]): ApiOptions {
  const flags = parseFlags(FLAGS, raw, faults);
  // An endpoint that is wrong has its fault already.
  const isWrong = raw['endpoint'] !== undefined && flags.endpoint === undefined;
  const endpoint = isWrong ? '' : readEndpoint(flags.endpoint, env, faults);
  return {
    endpoint,
    apiKey: readKey(flags.apiKey, env, faults),
    json: flags.json ?? false,
    endpointHint: flags.endpoint === undefined ? '' : ` --endpoint ${flags.endpoint}`,
  };
}

/** The same for commands without options of their own. Throws InvalidInput. */
export function parseApiOptions(raw: RawOptions, env: NodeJS.ProcessEnv, requestId?: string): ApiOptions {
  const faults: InputFault[] = [];
  const options = readApiOptions(raw, env, faults);
  if (requestId !== undefined) checkRequestId('ID', requestId, faults);
  if (faults.length > 0) throw new InvalidInput(faults);
  return options;
}

/** Catches what was pasted wrongly; whether there is such a request only the API knows. */
export function checkRequestId(field: string, id: string, faults: InputFault[]): void {
  if (!REQUEST_ID.test(id)) faults.push(inputFault(field, id, 'is no id of a request; prewarm requests lists them'));
}
