import type { Command } from 'commander';

/** Adds the options of private edges: for drills, tests, and caches of one's own. */
export function addEdgeOptions(command: Command): Command {
  return command
    .optionsGroup('Private edges (drills, tests, caches of your own):')
    .option('--dns-server <IP:PORT>', 'ask this DNS server for the addresses of the POPs')
    .option('--edge-port <N>', 'port of https at the edge (default: 443)')
    .option('--edge-http-port <N>', 'port of http at the edge (default: 80)')
    .option('--edge-map <FILE>', 'JSON instead of DNS: {"SIN2-P1": ["127.0.0.1:8443"]}')
    .option('--ca-file <PEM>', 'trust these certificate authorities instead of the well-known ones')
    .option('--allow-private-addresses', 'connect to private and loopback addresses too');
}
