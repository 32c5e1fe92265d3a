import type { Header, RequestSpec } from './request.ts';

/** Headers whose values are no secret: they say what kind of viewer asks. Every other value may let somebody in. */
const PLAIN_HEADERS: ReadonlySet<string> = new Set([
  'accept',
  'accept-charset',
  'accept-encoding',
  'accept-language',
  'access-control-request-headers',
  'access-control-request-method',
  'origin',
  'pragma',
  'save-data',
  'user-agent',
  'viewport-width',
  'width',
]);

/** Stands for a value that was dropped. */
const DROPPED = '';

const isKept = ([name, value]: Header) => value === DROPPED || PLAIN_HEADERS.has(name.toLowerCase());

/** The scheme and the host of a URL: its path and its query may hold a token. */
const originOf = (url: string) => `${new URL(url).origin}/`;

/**
 * The request without what may let somebody in: values of headers beyond those that only describe a viewer, and the path and query of
 * `notify_url`. Nothing needs them once the request has ended and its end was told. Null: there is nothing to drop.
 */
export function withoutSecrets(spec: RequestSpec): RequestSpec | null {
  const { notifyUrl } = spec;
  const keepsHeaders = spec.variants.every(({ headers }) => headers.every(isKept));
  if (keepsHeaders && (notifyUrl === undefined || notifyUrl === originOf(notifyUrl))) return null;
  const variants = spec.variants.map(({ name, headers }) => ({
    name,
    headers: headers.map((header): Header => (isKept(header) ? header : [header[0], DROPPED])),
  }));
  return { ...spec, variants, ...(notifyUrl === undefined ? {} : { notifyUrl: originOf(notifyUrl) }) };
}
