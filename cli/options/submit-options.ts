import { z } from 'zod';
import type { InputFault } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import type { PopQuestion } from '../../core/pops/pop-choice.ts';
import { validateRequest } from '../../core/request/request-input.ts';
import { popCatalogue } from '../../data/catalogue.ts';
import { type ApiOptions, readApiOptions } from './api-flags.ts';
import { describePlaces } from '../print/describe-places.ts';
import { parseFlags, type RawOptions, yesFlag } from './flags.ts';
import { withHeaderFile } from './header-file.ts';
import { checkListFile, FIELD_FLAGS, LIST_FLAGS, readListReading, readPopQuestion, statusesOf } from './request-flags.ts';
import { readSuccessRule, type SuccessRule } from './success-rule.ts';
import type { ListSource } from './take-list.ts';

/** What `prewarm submit` is to do. Everything in it is valid as far as that shows without the list. */
export interface SubmitOptions extends ApiOptions {
  readonly list: Omit<ListSource, 'signal'>;
  /** The body of `POST /prewarm` without its URLs. What was not asked for is not in it: the server has its own defaults. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly wait: boolean;
  readonly success: SuccessRule;
  /** How many of the known POPs each place takes, a line each. */
  readonly places: readonly string[];
}

const FLAGS = {
  ...LIST_FLAGS,
  agents: z.string(),
  acceptStatus: z.array(z.string()),
  notifyUrl: z.string(),
  name: z.string(),
  wait: yesFlag,
} as const;

type Flags = ReturnType<typeof parseFlags<typeof FLAGS>>;

const LIST_OF = { pop: 'pops', country: 'countries', region: 'regions' } as const;

function bodyFields(
  flags: Flags,
  question: PopQuestion,
  { headers, statuses }: { readonly headers: readonly string[]; readonly statuses: readonly number[] | null },
): Record<string, unknown> {
  return {
    ...(flags.domain === undefined ? {} : { cf_domain: flags.domain }),
    ...(question.names.length === 0 ? {} : { target_type: question.targetType, [LIST_OF[question.targetType]]: question.names }),
    ...(headers.length === 0 ? {} : { header: headers }),
    ...(flags.timeout === undefined ? {} : { timeout: Number(flags.timeout) }),
    ...(flags.agents === undefined ? {} : { instance_count: Number(flags.agents) }),
    ...(flags.invalidate === undefined ? {} : { need_invalidate: true }),
    ...(statuses === null ? {} : { accept_status: statuses }),
    ...(flags.firstByteTimeout === undefined ? {} : { first_byte_timeout: Number(flags.firstByteTimeout) }),
    ...(flags.notifyUrl === undefined ? {} : { notify_url: flags.notifyUrl }),
    ...(flags.name === undefined ? {} : { name: flags.name }),
  };
}

/** Reads the arguments of `prewarm submit`. Throws InvalidInput with all that is wrong with them: the server need not be asked. */
export function parseSubmitOptions(file: string | undefined, raw: RawOptions, env: NodeJS.ProcessEnv): SubmitOptions {
  const faults: InputFault[] = [];
  const api = readApiOptions(raw, env, faults);
  const flags = parseFlags(FLAGS, raw, faults);
  if (file !== undefined) checkListFile(file, faults);
  else if (flags.url === undefined)
    faults.push(inputFault('FILE', '', 'is missing; name a file of URLs, - for standard input, or give --url'));
  const reading = readListReading(flags, faults);
  const question = readPopQuestion(flags, faults);
  const headers = withHeaderFile(flags.header ?? [], flags.headerFile, faults);
  const success = readSuccessRule(raw, faults, flags.wait === true);
  const {
    acceptStatus,
    domain,
    places = [],
    pops,
  } = validateRequest(
    {
      urls: null,
      domain: flags.domain ?? null,
      question,
      headers,
      timeout: flags.timeout ?? null,
      agents: flags.agents ?? 1,
      invalidate: flags.invalidate ?? false,
      acceptStatus: statusesOf(flags.acceptStatus),
      firstByteTimeout: flags.firstByteTimeout ?? null,
      notifyUrl: flags.notifyUrl ?? null,
      name: flags.name ?? null,
    },
    FIELD_FLAGS,
    popCatalogue(),
    faults,
  );
  return {
    ...api,
    list: { file: file ?? null, urls: flags.url ?? [], domain, skipBad: flags.skipBad ?? false, ...reading },
    fields: bodyFields(flags, question, { headers, statuses: acceptStatus }),
    wait: flags.wait ?? false,
    success,
    places: describePlaces({ places, pops }, question, popCatalogue()),
  };
}
