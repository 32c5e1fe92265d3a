import { hash, timingSafeEqual } from 'node:crypto';

/** `read`: asks only; `full`: makes, changes and ends requests too. */
export type KeyRole = 'read' | 'full';

/** Whose key a request came with, and what that key may do. */
export interface KeyHolder {
  readonly name: string;
  readonly role: KeyRole;
}

export interface NamedKey extends KeyHolder {
  readonly key: string;
}

/** Tells whose key a client presented. */
export interface ApiKeys {
  /** Null: it is no key. Takes as long for a wrong key as for a right one. */
  holderOf(presented: string): KeyHolder | null;
}

/** Compares digests of one length with every key there is, so that time tells neither how much of a key is right nor which one it is like. */
export function createApiKeys(keys: readonly NamedKey[]): ApiKeys {
  const known = keys.map(({ name, role, key }) => ({ holder: { name, role }, digest: hash('sha256', key, 'buffer') }));
  return {
    holderOf(presented) {
      const digest = hash('sha256', presented, 'buffer');
      let found: KeyHolder | null = null;
      for (const { holder, digest: right } of known) if (timingSafeEqual(digest, right)) found = holder;
      return found;
    },
  };
}
