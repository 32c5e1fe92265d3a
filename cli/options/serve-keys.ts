import type { NamedKey } from '../../server/app/api-keys.ts';
import type { InputFault } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import {
  DEFAULT_KEY_NAME,
  MIN_REACHABLE_KEY,
  parseApiKeys,
  readApiKeyFile,
  splitKeys,
  type WatchedKeys,
  type WrittenKey,
} from '../../server/node/api-key-file.ts';
import { isLoopback } from '../../core/pops/address-policy.ts';

export interface ServeKeys {
  /** Empty: one is made. */
  readonly keys: readonly NamedKey[];
  /** The file that some of them are in, and that is followed; null: none. */
  readonly watched: WatchedKeys | null;
}

interface KeyFlags {
  readonly host: string;
  readonly apiKey: readonly string[] | undefined;
  readonly apiKeyFile: string | undefined;
}

/** Of the environment, which counts where no flag gives keys. */
function keysOfEnvironment(env: NodeJS.ProcessEnv): readonly WrittenKey[] {
  const several = splitKeys(env['PREWARM_API_KEYS'] ?? '');
  const one = env['PREWARM_API_KEY'] ?? '';
  if (several.length > 0 || one === '') return several;
  // The same variable gives clients the key they send, so it holds a key and no name.
  return [{ field: 'PREWARM_API_KEY', text: `${DEFAULT_KEY_NAME}=${one}`, needsName: false }];
}

/** Keys from the flags, or else from the environment. What is wrong with them is added to `faults`. */
export function readServeKeys({ host, apiKey, apiKeyFile }: KeyFlags, env: NodeJS.ProcessEnv, faults: InputFault[]): ServeKeys {
  const isReachable = !isLoopback(host);
  const minLength = isReachable ? MIN_REACHABLE_KEY : 1;
  const before = faults.length;
  const byFlag = (apiKey ?? []).map((text) => ({ field: '--api-key', text, needsName: false }));
  const others = apiKey === undefined && apiKeyFile === undefined ? keysOfEnvironment(env) : byFlag;
  const inFile = apiKeyFile === undefined ? [] : readApiKeyFile(apiKeyFile, faults);
  const keys = parseApiKeys([...others, ...inFile], { minLength }, faults);
  if (isReachable && keys.length === 0 && faults.length === before) {
    const remedy = 'give a key of your own (--api-key-file FILE), or leave it at 127.0.0.1';
    faults.push(inputFault('--host', host, `can be reached from other machines; ${remedy}`));
  }
  return { keys, watched: apiKeyFile === undefined ? null : { path: apiKeyFile, keys, others, minLength } };
}
