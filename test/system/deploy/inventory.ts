import { fileURLToPath } from 'node:url';
import { type EmulatedAccount, runInAccount } from '../../../testing/aws-account/emulated-account.ts';

const SCRIPT = fileURLToPath(new URL('./inventory.py', import.meta.url));

/** Kind of resource to the names there are. */
export type Inventory = Readonly<Record<string, readonly string[]>>;

/** Everything in the account that a stack may make. */
export function takeInventory(account: EmulatedAccount): Promise<Inventory> {
  return runInAccount(account, SCRIPT);
}

/** `kind: name` of whatever is there now and was not before. */
export function addedSince(before: Inventory, now: Inventory): string[] {
  return Object.entries(now).flatMap(([kind, names]) => {
    const known = new Set(before[kind] ?? []);
    return names.filter((name) => !known.has(name)).map((name) => `${kind}: ${name}`);
  });
}
