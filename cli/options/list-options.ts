import type { Command } from 'commander';
import { collectOption } from './collect-option.ts';

/** The list, the places and the headers of a request: the same for a run of one's own and for one that is handed over. */
export function addListOptions(command: Command): Command {
  return command
    .argument('[FILE]', 'the list; - is standard input')
    .optionsGroup('What and where:')
    .option('--url <URL>', 'a URL beside or instead of FILE (repeatable)', collectOption)
    .option('--domain <NAME>', "the distribution's own name or an alias (default: found from the URLs' hosts)")
    .option('--pops <A,B>', 'POPs by name', collectOption)
    .option('--countries <A,B>', 'countries by name or ISO code: germany, DE', collectOption)
    .option('--regions <A,B>', 'all, apac, au, ca, eu, jp, sa, us, cn', collectOption)
    .option("--header <'Name: value'>", 'request header that viewers send and the cache key holds (repeatable)', collectOption)
    .option('--header-file <FILE>', 'more request headers, one "Name: value" a line: other users of the machine see the command line')
    .option('--name <TEXT>', 'what you call the request; lists and notices show it')
    .option('--invalidate', 'invalidate the URLs first, and wait for it')
    .option('--column <NAME|N>', 'column of the URLs in FILE, by name or number (default: url, or the only one that holds URLs)')
    .option('--base <URL>', 'https://HOST that the paths in FILE and --url belong to')
    .option('--skip-bad', 'go on without the bad lines of FILE');
}
