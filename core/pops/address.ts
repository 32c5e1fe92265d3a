import type { Answer } from '../ports/downloader.ts';

/** One address of a POP. Inside the program an address always has its ports; IPv6 is written in brackets. */
export interface EdgeAddress {
  readonly ip: string;
  /** Port for https URLs. */
  readonly port: number;
  /** Port for http URLs. */
  readonly httpPort: number;
}

const isIpv6 = ({ ip }: EdgeAddress): boolean => ip.includes(':');

/**
 * The addresses of a POP in the order of their use. IPv6 ones beside IPv4 ones are a last resort, since the machine may have no way to
 * them, and the same caches answer there.
 */
export function splitAddresses(addresses: readonly EdgeAddress[]): {
  readonly first: readonly EdgeAddress[];
  readonly lastResort: readonly EdgeAddress[];
} {
  const ipv4 = addresses.filter((address) => !isIpv6(address));
  if (ipv4.length === 0 || ipv4.length === addresses.length) return { first: addresses, lastResort: [] };
  return { first: ipv4, lastResort: addresses.filter(isIpv6) };
}

/** `ip:port` for people and reports. */
export function formatAddress(ip: string, port: number): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}

/** `ip:port/httpPort`: a whole address in one text, as a POP's row keeps it. */
export function storeAddress({ ip, port, httpPort }: EdgeAddress): string {
  return `${formatAddress(ip, port)}/${httpPort}`;
}

const STORED_ADDRESS = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)\/(\d+)$/;

/** Reads what `storeAddress` wrote; null for a text without the http port, which rows of earlier versions have. */
export function readStoredAddress(text: string): EdgeAddress | null {
  const [, ipv6, ipv4, port, httpPort] = STORED_ADDRESS.exec(text) ?? [];
  const ip = ipv6 ?? ipv4;
  return ip === undefined ? null : { ip, port: Number(port), httpPort: Number(httpPort) };
}

/** The part of a stored address that people are shown: `ip:port` of https. */
export function shownAddress(text: string): string {
  return text.replace(/\/\d+$/, '');
}

/** After so long at the last resort, one request finds out whether the first addresses can be reached again. */
const FIRST_AGAIN_MS = 10 * 60_000;

/**
 * Says which of a POP's addresses the next request goes to. The first addresses take turns, IPv4 ones where there are any. The last
 * resort takes their place when as many requests in a row have reached none of them as they are, and gives it back when it cannot be
 * reached either.
 */
export class AddressTurn {
  readonly #now: () => number;
  #isAtLastResort = false;
  #unreached = 0;
  #firstAgainAt = 0;
  #known: { readonly addresses: readonly EdgeAddress[]; readonly split: ReturnType<typeof splitAddresses> } | null = null;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** `ordinal` counts the requests. Undefined: there are no addresses. */
  next(addresses: readonly EdgeAddress[], ordinal: number): EdgeAddress | undefined {
    const { first, lastResort } = this.#split(addresses);
    const isFirstDue = this.#isAtLastResort && this.#now() >= this.#firstAgainAt;
    if (isFirstDue) this.#firstAgainAt = this.#now() + FIRST_AGAIN_MS;
    const from = this.#isAtLastResort && !isFirstDue && lastResort.length > 0 ? lastResort : first;
    return from[ordinal % from.length];
  }

  /**
   * Takes in what came of a request to `address`. True: nothing was sent there, and `next` now leads to the last resort, so that the same
   * request may be sent to it.
   */
  note(
    addresses: readonly EdgeAddress[],
    address: EdgeAddress,
    { status, unreached = false }: Pick<Answer, 'status' | 'unreached'>,
  ): boolean {
    const { first, lastResort } = this.#split(addresses);
    if (lastResort.length === 0) return false;
    const isOfLastResort = lastResort.includes(address);
    const isOfOthers = isOfLastResort !== this.#isAtLastResort;
    if (status > 0) {
      if (!isOfOthers) this.#unreached = 0;
      else if (!isOfLastResort) this.#change(false);
    }
    if (!unreached) return false;
    // What was asked before the change says nothing about the addresses after it.
    if (isOfOthers) return !isOfLastResort;
    this.#unreached += 1;
    if (this.#unreached < (isOfLastResort ? lastResort : first).length) return false;
    this.#change(!isOfLastResort);
    return !isOfLastResort;
  }

  /** The addresses of a POP stay the same for many requests. */
  #split(addresses: readonly EdgeAddress[]): ReturnType<typeof splitAddresses> {
    if (this.#known?.addresses !== addresses) this.#known = { addresses, split: splitAddresses(addresses) };
    return this.#known.split;
  }

  #change(isAtLastResort: boolean): void {
    this.#isAtLastResort = isAtLastResort;
    this.#unreached = 0;
    this.#firstAgainAt = this.#now() + FIRST_AGAIN_MS;
  }
}
