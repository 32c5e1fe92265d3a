import { afterAll, beforeAll, describe } from 'vitest';
import { type EmulatedAccount, type EmulatedAccountOptions, emulatorUnavailable, startEmulatedAccount } from './emulated-account.ts';

/** Making the emulator's environment, which the first test of all does, takes longer than a test may. */
const START_TIMEOUT_MS = 300_000;

/**
 * A block of tests on an emulated AWS account of its own, told to `body` from its hooks and tests on. Skipped, saying
 * why, where there is no emulator.
 */
export function describeWithAccount(
  title: string,
  body: (account: () => EmulatedAccount) => void,
  options: EmulatedAccountOptions = {},
): void {
  const unavailable = emulatorUnavailable();
  const why = unavailable === null ? '' : ` (${unavailable})`;
  describe.skipIf(unavailable !== null)(`${title}${why}`, () => {
    let started: EmulatedAccount | null = null;
    beforeAll(async () => {
      started = await startEmulatedAccount(options);
    }, START_TIMEOUT_MS);
    afterAll(() => started?.stop());
    body(() => {
      if (started === null) throw new Error('the account starts with the first hook');
      return started;
    });
  });
}
