/** Names in a summary or a status, per list. */
export const MAX_LISTED = 1000;

/** Three lists make an answer, and a function's ends at 6 MB, escapes included. */
const MAX_CHARACTERS = 1_500_000;

/** Distinct names in the order they came in, as many as an answer has room for. */
export interface NameList {
  add(name: string): void;
  isFull(): boolean;
  names(): readonly string[];
}

export function createNameList(): NameList {
  const names = new Set<string>();
  let characters = 0;
  let full = false;
  return {
    add(name) {
      if (full || names.has(name)) return;
      characters += name.length;
      full = characters > MAX_CHARACTERS;
      if (full) return;
      names.add(name);
      full = names.size >= MAX_LISTED;
    },
    isFull: () => full,
    names: () => [...names],
  };
}
