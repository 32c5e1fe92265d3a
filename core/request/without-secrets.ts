import { PrewarmError } from '../errors.ts';
import type { VariantHeaders } from '../ports/viewer-headers.ts';
import type { Header, RequestSpec, Variant } from './request.ts';

/** Headers whose values are no secret: they say what kind of viewer asks. Every other value may let somebody in. */
export const PLAIN_HEADERS: ReadonlySet<string> = new Set([
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

const dropValue = (header: Header): Header => (isKept(header) ? header : [header[0], DROPPED]);

/** The variants without the values of headers that may let somebody in; null: there are none. */
function withoutHeaderValues(variants: readonly Variant[]): readonly Variant[] | null {
  if (variants.every(({ headers }) => headers.every(isKept))) return null;
  return variants.map(({ name, headers }) => ({ name, headers: headers.map(dropValue) }));
}

/** What a row may hold of a request where its headers are kept apart, and the headers; null: none of them is a secret. */
export function takeHeadersApart(spec: RequestSpec): { readonly spec: RequestSpec; readonly headers: VariantHeaders } | null {
  const variants = withoutHeaderValues(spec.variants);
  if (variants === null) return null;
  return { spec: { ...spec, variants, headersApart: true }, headers: spec.variants.map(({ headers }) => headers) };
}

/** The request as it was asked for, of its row and of the headers that were kept apart. */
export function withHeaders(spec: RequestSpec, headers: VariantHeaders): RequestSpec {
  if (headers.length !== spec.variants.length)
    throw new PrewarmError('storage', `headers of ${headers.length} variants are kept of a request that has ${spec.variants.length}`);
  return { ...spec, variants: spec.variants.map(({ name }, at) => ({ name, headers: headers[at] ?? [] })) };
}

/**
 * The request without what may let somebody in: values of headers beyond those that only describe a viewer, and the path and query of
 * `notify_url`. Nothing needs them once the request has ended and its end was told. Null: there is nothing to drop.
 */
export function withoutSecrets(spec: RequestSpec): RequestSpec | null {
  const { notifyUrl } = spec;
  const variants = withoutHeaderValues(spec.variants);
  if (variants === null && (notifyUrl === undefined || notifyUrl === originOf(notifyUrl))) return null;
  return { ...spec, variants: variants ?? spec.variants, ...(notifyUrl === undefined ? {} : { notifyUrl: originOf(notifyUrl) }) };
}
