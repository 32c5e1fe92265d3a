import type { Socket } from 'node:net';
import { isAddressInUse, type Listener, openListener } from './listener.ts';

/** The two ports of one POP address. */
export interface BoundAddress {
  readonly secure: Listener;
  readonly plain: Listener;
}

type OnSocket = (index: number, secure: boolean, socket: Socket) => void;

const ATTEMPTS = 20;

async function bindPair(index: number, ip: string, port: number, httpPort: number, onSocket: OnSocket): Promise<BoundAddress> {
  const secure = await openListener(ip, port, (socket) => onSocket(index, true, socket));
  try {
    const plain = await openListener(ip, httpPort, (socket) => onSocket(index, false, socket));
    return { secure, plain };
  } catch (error) {
    secure.close();
    throw error;
  }
}

export function closeAddresses(bound: readonly BoundAddress[]): void {
  for (const { secure, plain } of bound) {
    secure.close();
    plain.close();
  }
}

async function bindShared(ips: readonly string[], onSocket: OnSocket): Promise<BoundAddress[]> {
  const bound: BoundAddress[] = [];
  try {
    for (const [index, ip] of ips.entries()) {
      const first = bound[0];
      bound.push(await bindPair(index, ip, first?.secure.port ?? 0, first?.plain.port ?? 0, onSocket));
    }
    return bound;
  } catch (error) {
    closeAddresses(bound);
    throw error;
  }
}

/** A random net, so that edges side by side seldom meet; 127.0.0.0/16 is left to others. */
function pickIps(count: number): string[] {
  const net = 1 + Math.floor(Math.random() * 254);
  return Array.from({ length: count }, (_, index) => `127.${net}.${Math.floor(index / 250)}.${1 + (index % 250)}`);
}

/**
 * Opens `count` POP addresses on loopback. `ports`: any ports of 127.0.0.1. `addresses`: one ip each, all on the same two ports.
 * Rejects when the system has no such addresses (only Linux answers on all of 127.0.0.0/8).
 */
export async function bindAddresses(bind: 'ports' | 'addresses', count: number, onSocket: OnSocket): Promise<BoundAddress[]> {
  if (bind === 'ports') {
    return Promise.all(Array.from({ length: count }, (_, index) => bindPair(index, '127.0.0.1', 0, 0, onSocket)));
  }
  for (let attempt = 1; ; attempt++) {
    try {
      return await bindShared(pickIps(count), onSocket);
    } catch (error) {
      if (attempt === ATTEMPTS || !isAddressInUse(error)) {
        throw new Error("this machine has no free 127.x.y.z addresses for the simulated edge; use bind: 'ports'", { cause: error });
      }
    }
  }
}
