import { connect, createServer, type Socket } from 'node:net';

/**
 * A process of its own: passes TCP on from each address at `port` to the same address at `target`, each way half a round trip
 * late, and a connection's first bytes a whole round trip later still, which is what its handshake would have cost.
 * Arguments: addresses (comma-separated), port, target, round trip in ms. Writes `ready` when it listens; ends with its input.
 */
const [addresses = '', port = '0', target = '0', roundTrip = '0'] = process.argv.slice(2);
const ROUND_TRIP_MS = Number(roundTrip);

/** Delays what `from` sends; in order, whatever the timers' resolution does. */
function passOn(from: Socket, to: Socket, handshakeMs: number): void {
  const waiting: (Buffer | null)[] = [];
  let handshakeUntil = 0;
  const deliver = () => {
    const chunk = waiting.shift();
    if (chunk === undefined || to.destroyed) return;
    if (chunk === null) to.end();
    else to.write(chunk);
  };
  const delay = (chunk: Buffer | null) => {
    waiting.push(chunk);
    const now = performance.now();
    if (handshakeUntil === 0) handshakeUntil = now + handshakeMs;
    setTimeout(deliver, Math.max(0, handshakeUntil - now) + ROUND_TRIP_MS / 2);
  };
  from.on('data', delay);
  from.on('end', () => delay(null));
  // A reset on one side is passed on as one; nothing is hidden from either end.
  from.on('error', () => to.resetAndDestroy());
}

for (const ip of addresses.split(',')) {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const far = connect({ port: Number(target), host: ip, allowHalfOpen: true, noDelay: true });
    passOn(near, far, ROUND_TRIP_MS);
    passOn(far, near, 0);
  });
  await new Promise<void>((resolve) => server.listen({ port: Number(port), host: ip, backlog: 4096 }, resolve));
}
process.stdout.write('ready\n');
process.stdin.resume().on('end', () => process.exit(0));
