import { callAccount, type EmulatedAccount } from '../../../testing/aws-account/emulated-account.ts';

interface LogEvents {
  readonly events: readonly { readonly message: string }[];
}

/** What a function wrote so far, line by line. Rejects where it has never run. */
export async function functionLog(account: EmulatedAccount, functionName: string): Promise<readonly string[]> {
  const { events } = await callAccount<LogEvents>(account, 'logs', 'filter_log_events', { logGroupName: `/aws/lambda/${functionName}` });
  return events.map(({ message }) => message.trim());
}
