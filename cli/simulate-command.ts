import type { Command } from 'commander';
import { collectOption } from './options/collect-option.ts';
import { helpText } from './print/help-text.ts';
import type { ExitCode } from './exit-code.ts';

const SIMULATE_EXAMPLES = `
The edge stands on loopback until Ctrl-C or SIGTERM. It prints the options by which run, serve, timing and keep-warm reach it, and its files end with it. Nothing leaves this machine.
/o/SIZE/NAME is an object of SIZE bytes (/o/64k/a, /o/10m/b); every other path is an object too, of some size below 1 MB.

A fault is KIND[=VALUE][@[POP][/PATH]]. A * at the end of PATH matches any rest; without POP and PATH the fault meets every request. The kinds:
  status=503, latency=200 (milliseconds), trickle=1000 (bytes a second), truncate=100 (bytes), stall[=headers|body], reset,
  never-hit, never-store, no-x-cache, x-cache=TEXT, wrong-pop=POP, generated[=function|lambda], challenge[=challenge|captcha],
  unasked-part, range-total=BYTES, and of connections, hence without PATH: dead[=refuses|silent], wrong-certificate.

Examples:
  $ prewarm simulate
  $ prewarm simulate --pops SIN2-P1,FRA56-P4,IAD89-P1 --addresses 2 --separate-caches
  $ prewarm simulate --host www.mysite.com               for a list of your own: the edge answers for these names
  $ prewarm simulate --fault status=503@/o/1k/broken --fault dead@SIN2-P1
  $ prewarm simulate --json                              one JSON line: edge_map, ca_file, dns_server, invalidation_endpoint, options

Exit codes: 0 ended by a signal, 1 it failed, 2 bad usage (nothing was started).`;

/** `prewarm simulate`. */
export function addSimulate(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('simulate')
    .summary('start a simulated edge on this machine, to try the other commands on')
    .description('Starts a simulated CloudFront distribution on loopback, and prints the options by which the other commands reach it.')
    .optionsGroup('The edge:')
    .option('--pops <A,B>', 'POPs to simulate (default: SIN2-P1,FRA56-P4)', collectOption)
    .option('--addresses <N>', 'addresses of each POP, 1 to 16 (default: 1)')
    .option('--separate-caches', 'each address is a cache of its own (default: the addresses of a POP share one)')
    .option('--host <A,B>', 'names that it answers for, beside d111111abcdef8.cloudfront.net (default: www.example.com)', collectOption)
    .option('--fault <FAULT>', 'what goes wrong, as told below (repeatable)', collectOption)
    .optionsGroup('Caches:')
    .option('--ttl <S>', 'seconds that objects stay fresh (default: 86400)')
    .option(
      '--dynamic <PATH>',
      'what the origin answers there may not be stored; a * at the end matches any rest (repeatable)',
      collectOption,
    )
    .option('--ignore-query', 'the query string is not in the cache key (default: it is)')
    .option('--key-header <NAME>', 'request header whose value is in the cache key (repeatable)', collectOption)
    .option('--key-encoding', 'gzip and br of Accept-Encoding are in the cache key')
    .option('--no-server-timing', 'send no Server-Timing header; this version never sends one')
    .optionsGroup('Delays, in milliseconds (default: none):')
    .option('--edge-delay <MS>', 'before the first byte of every answer')
    .option('--regional-delay <MS>', 'more, where a regional edge cache is asked')
    .option('--origin-delay <MS>', 'more, where the origin is asked')
    .option('--invalidation-delay <MS>', 'from an invalidation to its effect')
    .optionsGroup('Ports (default: any that are free):')
    .option('--edge-port <N>', 'https, at every address; with --one-ip the first of consecutive ports, one for each address')
    .option('--edge-http-port <N>', 'http, likewise')
    .option('--dns-port <N>', 'the DNS server')
    .option('--invalidation-port <N>', 'the endpoint for invalidations')
    .option('--one-ip', 'all at 127.0.0.1, for systems where no other loopback address answers (such systems are noticed)')
    .optionsGroup('Output:')
    .option('--json', 'tell on standard output how the edge is reached, as one JSON line')
    .addHelpText('after', helpText(SIMULATE_EXAMPLES))
    .action(async (raw: Readonly<Record<string, unknown>>) => {
      const { simulate } = await import('./commands/simulate.ts');
      done(await simulate(raw));
    });
}
