import { isIP } from 'node:net';
import { z } from 'zod';
import type { EdgeAddress } from '../../core/pops/address.ts';
import { type InputFault, InvalidInput } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import { POP_NAME } from '../../core/pops/pop-choice.ts';
import type { PopResolver } from '../../core/ports/pop-resolver.ts';
import { allowedAddresses } from './dns-pop-resolver.ts';

/** Addresses by POP name (upper case), in the order of the file. */
export type EdgeMap = ReadonlyMap<string, readonly EdgeAddress[]>;

const REMEDY = 'write {"SIN2-P1": ["127.0.0.1:8443"]}, or {"SIN2-P1": {"https": ["127.0.0.1:8443"], "http": ["127.0.0.1:8080"]}}';
const ADDRESS_REMEDY = 'is no address with a port; write it as in "127.0.0.1:8443" or "[::1]:8443"';

interface Place {
  readonly ip: string;
  readonly port: number;
}

/** An IPv4 address, or an IPv6 one in brackets, and a port; null: neither. */
function parsePlace(text: string): Place | null {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const ip = match?.[1] ?? match?.[2] ?? '';
  const port = Number(match?.[3]);
  const fits = isIP(ip) === (match?.[1] === undefined ? 4 : 6);
  return fits && port >= 1 && port <= 65_535 ? { ip, port } : null;
}

const placeSchema = z.string(ADDRESS_REMEDY).transform((text, context): Place => {
  const place = parsePlace(text);
  if (place !== null) return place;
  context.addIssue({ code: 'custom', message: ADDRESS_REMEDY });
  return z.NEVER;
});
const listSchema = z.array(placeSchema, `is no list of addresses; ${REMEDY}`).min(1, `names no address; ${REMEDY}, or leave the POP out`);

/** Counterparts stand at the same place of both lists and are one machine, hence have one ip. */
const bothSchema = z
  .strictObject({ https: listSchema, http: listSchema }, `is not what a POP may be; ${REMEDY}`)
  .superRefine((both, context) => {
    const paired = both.https.length === both.http.length && both.https.every(({ ip }, place) => ip === both.http[place]?.ip);
    if (!paired)
      context.addIssue({ code: 'custom', message: 'lists different addresses; give "https" and "http" the same ones in the same order' });
  });

function toAddresses(value: readonly Place[] | z.infer<typeof bothSchema>): EdgeAddress[] {
  if (!('https' in value)) return value.map(({ ip, port }) => ({ ip, port, httpPort: port }));
  return value.https.map(({ ip, port }, place) => ({ ip, port, httpPort: value.http[place]?.port ?? port }));
}

function parseJson(text: string, field: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw new InvalidInput([inputFault(field, text, `is not JSON (${error instanceof Error ? error.message : String(error)}); ${REMEDY}`)]);
  }
  const object = z.record(z.string(), z.unknown()).safeParse(value);
  if (object.success && Object.keys(object.data).length > 0) return object.data;
  throw new InvalidInput([inputFault(field, value, `names no POP; ${REMEDY}`)]);
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((inner, key) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined), value);
}

/**
 * Reads an edge map: JSON, POP -> `["ip:port", ...]` for both schemes, or POP -> `{"https": [...], "http": [...]}` with the
 * same addresses in the same order. `field` is what the map is called in faults. Throws InvalidInput with every fault.
 */
export function parseEdgeMap(text: string, field: string): EdgeMap {
  const faults: InputFault[] = [];
  const map = new Map<string, readonly EdgeAddress[]>();
  for (const [name, value] of Object.entries(parseJson(text, field))) {
    const pop = name.toUpperCase();
    if (!POP_NAME.test(pop)) faults.push(inputFault(field, name, 'is no POP name; write one such as SIN2-P1'));
    else if (map.has(pop)) faults.push(inputFault(field, name, 'is named twice; give each POP one entry'));
    const parsed = (Array.isArray(value) ? listSchema : bothSchema).safeParse(value);
    map.set(pop, parsed.success ? toAddresses(parsed.data) : []);
    for (const issue of parsed.error?.issues ?? [])
      faults.push(inputFault(field, valueAt(value, issue.path), `of ${name} ${issue.message}`));
  }
  if (faults.length > 0) throw new InvalidInput(faults);
  return map;
}

/** Takes POPs from an edge map instead of DNS; nothing is known of CNAME chains, so `findDistribution` answers null. */
export function createEdgeMapResolver(map: EdgeMap, options: { readonly allowPrivateAddresses: boolean }): PopResolver {
  return {
    async resolvePop(_domain, pop) {
      const addresses = map.get(pop);
      if (addresses === undefined) return { state: 'pop_unresolvable', detail: `the edge map does not name ${pop}` };
      return allowedAddresses(pop, addresses, options.allowPrivateAddresses);
    },
    findDistribution: async () => null,
  };
}
