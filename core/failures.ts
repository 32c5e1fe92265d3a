interface FailureFacts {
  /** What has happened, for people. */
  readonly meaning: string;
  /** What to do about it, where the message of the error does not say it more precisely. */
  readonly remedy: string;
  /** Status of the API's answer. */
  readonly status: 400 | 404 | 409 | 413 | 500 | 503;
  /** Exit code of the command line: 2 is for what the user gave, 1 for everything else. */
  readonly exitCode: 1 | 2;
  /** Whether a client of the API may read the error's own message. It may name roles, tables and paths of the server otherwise. */
  readonly isPublic: boolean;
}

const STORE = { status: 503, exitCode: 1, isPublic: false } as const;
const INSIDE = { status: 500, exitCode: 1, isPublic: false } as const;

/** Each stable code of what the program itself reports as wrong. Outcomes of targets are not errors: see `Reason`. */
export const FAILURES = {
  invalid_input: {
    meaning: 'What the user gave is wrong, and nothing was sent.',
    remedy: 'Correct the fields that the message names.',
    status: 400,
    exitCode: 2,
    isPublic: true,
  },
  body_too_large: {
    meaning: 'The body of a call is longer than the API takes.',
    remedy: 'Split the list into several requests.',
    status: 413,
    exitCode: 2,
    isPublic: true,
  },
  not_found: {
    meaning: 'What the call names does not exist.',
    remedy: 'Check the name or id.',
    status: 404,
    exitCode: 1,
    isPublic: true,
  },
  conflict: {
    meaning: 'The state of the request does not allow this call.',
    remedy: 'Read the status of the request, and wait for its end if the message says so.',
    status: 409,
    exitCode: 1,
    isPublic: true,
  },
  storage_full: { meaning: 'The disk is full.', remedy: 'Free space, or choose another data directory.', ...STORE },
  storage: { meaning: 'A store failed, or is not set up as the program needs it.', remedy: 'Follow the message.', ...STORE },
  throttled: {
    meaning: 'AWS takes no more calls of this kind at the moment.',
    remedy: 'Try again in a minute, or raise the quota.',
    ...STORE,
  },
  denied: {
    meaning: 'AWS refused a call because of the credentials or a missing permission.',
    remedy: 'Allow the action that the message names to the role that the program runs as.',
    ...STORE,
  },
  unavailable: {
    meaning: 'A service of AWS failed or could not be reached.',
    remedy: 'Try again later; if it lasts, check the network, the region and the endpoints.',
    ...STORE,
  },
  data_dir_busy: {
    meaning: 'Another process works in the data directory.',
    remedy: 'Wait for its end, or choose another directory.',
    ...INSIDE,
  },
  dns: { meaning: 'A name could not be resolved.', remedy: 'Check the resolver and the network.', ...INSIDE },
  invalidation: { meaning: 'CloudFront refused an invalidation.', remedy: 'Follow the message.', ...INSIDE },
  invalidation_busy: { meaning: 'CloudFront takes no invalidation at the moment.', remedy: 'Try again later.', ...INSIDE },
  agents_failed: { meaning: 'The agent processes ended again and again.', remedy: 'Read their output above the message.', ...INSIDE },
  output: { meaning: 'The output could not be written.', remedy: 'Check the file or the reader of the pipe.', ...INSIDE },
  api_refused: {
    meaning: 'An API that was called refused the key, the request or what it names.',
    remedy: 'Correct what the message names.',
    ...INSIDE,
    exitCode: 2,
  },
  api_failed: { meaning: 'An API that was called could not be reached, or failed.', remedy: 'Try again later.', ...INSIDE },
} as const satisfies Readonly<Record<string, FailureFacts>>;

export type ErrorCode = keyof typeof FAILURES;
