/** What every command of the program exits with. */
export const EXIT = {
  /** All is well. */
  ok: 0,
  /** It ran and something does not hold, or the program failed. */
  failed: 1,
  /** Bad usage or input; nothing was sent. */
  badInput: 2,
  /** Ended by SIGINT, SIGTERM or SIGHUP. */
  interrupted: 130,
} as const;

/** One of EXIT. */
export type ExitCode = number;
