import { randomBytes } from 'node:crypto';

interface SimulatedInvalidation {
  readonly id: string;
  readonly status: 'InProgress' | 'Completed';
}

type CreatedInvalidation =
  | { readonly state: 'accepted'; readonly invalidation: SimulatedInvalidation }
  /** The reference was used with other paths. */
  | { readonly state: 'conflict' }
  | { readonly state: 'refused'; readonly detail: string };

export interface SimulatedInvalidations {
  create(callerReference: string, paths: readonly string[]): CreatedInvalidation;
  find(id: string): SimulatedInvalidation | null;
  /** How many have been created. */
  readonly count: number;
}

/** CloudFront's own limit for one request. */
const MAX_PATHS = 3000;

const MAX_CHARACTERS = 4000;
/** Printable ASCII but what RFC 1738 calls unsafe; a `*` at the end only. */
const PATH = /^\/[!#-)+-;=?-Z_a-z]*\*?$/;
const PATH_RULE = `a path starts with /, has a * at its end only, its unsafe characters percent-encoded, and ${MAX_CHARACTERS} characters at most`;

interface Stored {
  readonly id: string;
  readonly content: string;
  status: SimulatedInvalidation['status'];
}

function faultOfPaths(paths: readonly string[]): string | null {
  if (paths.length === 0 || paths.length > MAX_PATHS) return `1 to ${MAX_PATHS} paths, not ${paths.length}`;
  const bad = paths.find((path) => path.length > MAX_CHARACTERS || !PATH.test(path));
  if (bad !== undefined) return `${JSON.stringify(bad.slice(0, 200))}: ${PATH_RULE}`;
  return new Set(paths).size === paths.length ? null : 'a path is there twice';
}

/** Whether an object's path (with its query string, if that is in the cache key) is one of `paths`, wildcards included. */
function matcherOf(paths: readonly string[]): (object: string) => boolean {
  const exact = new Set(paths.filter((path) => !path.endsWith('*')));
  const prefixes = paths.filter((path) => path.endsWith('*')).map((path) => path.slice(0, -1));
  return (object) => exact.has(object) || prefixes.some((prefix) => object.startsWith(prefix));
}

/** Invalidations that take effect and complete together, `delayMs` after they were created. */
export function createInvalidations(options: {
  readonly delayMs: number;
  readonly wait: (ms: number) => Promise<void>;
  readonly apply: (matches: (object: string) => boolean) => void;
}): SimulatedInvalidations {
  const byReference = new Map<string, Stored>();
  const byId = new Map<string, Stored>();

  const complete = (stored: Stored, paths: readonly string[]): void => {
    options.apply(matcherOf(paths));
    stored.status = 'Completed';
  };

  return {
    create(callerReference, paths) {
      const fault = faultOfPaths(paths);
      if (fault !== null) return { state: 'refused', detail: fault };
      const content = [...paths].sort().join('\n');
      const known = byReference.get(callerReference);
      if (known !== undefined && known.content !== content) return { state: 'conflict' };
      if (known !== undefined) return { state: 'accepted', invalidation: { id: known.id, status: known.status } };
      const stored: Stored = { id: `I${randomBytes(7).toString('hex').toUpperCase()}`, content, status: 'InProgress' };
      byReference.set(callerReference, stored);
      byId.set(stored.id, stored);
      if (options.delayMs <= 0) complete(stored, paths);
      else void options.wait(options.delayMs).then(() => complete(stored, paths));
      return { state: 'accepted', invalidation: { id: stored.id, status: stored.status } };
    },
    find(id) {
      const stored = byId.get(id);
      return stored === undefined ? null : { id, status: stored.status };
    },
    get count() {
      return byId.size;
    },
  };
}
