import { formatHelpText } from './help-text.ts';
import { counted, formatCount } from './quantities.ts';
import { wrapWords } from './screen.ts';

/** How the simulated edge is reached; the JSON line has these fields. */
export interface EdgeAccess {
  readonly edge_map: string;
  readonly ca_file: string;
  /** Null: the edge map alone leads to it. */
  readonly dns_server: string | null;
  readonly invalidation_endpoint: string;
  /** For run, serve, timing and keep-warm. */
  readonly options: readonly string[];
  readonly invalidation_options: readonly string[];
  readonly domain: string;
  /** All names that it answers for. */
  readonly hosts: readonly string[];
  readonly pops: readonly string[];
  readonly faults: readonly string[];
}

/** One word of the shell, whatever is in it. */
const quoted = (text: string) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

/** What people are told: the options, and commands that can be pasted into another terminal. Lines of options are never broken. */
export function formatEdgeAccess(access: EdgeAccess, addressCount: number, width: number): string {
  const options = access.options.map(quoted).join(' ');
  const invalidation = access.invalidation_options.join(' ');
  const pops = access.pops.join(',');
  const host = access.hosts.at(1) ?? access.domain;
  const url = `https://${host}/o/64k/demo`;
  const addresses = addressCount === 1 ? '1 address' : `${formatCount(addressCount)} addresses`;
  const title = `Simulated edge: ${counted(access.pops.length, 'POP')} with ${addresses}, for ${access.hosts.join(', ')}. It stands until Ctrl-C.`;
  const faults = access.faults.map((fault) => `  ${fault}\n`).join('');
  const examples = [
    `  $ prewarm run --url ${url} --pops ${pops} ${options}`,
    `  $ prewarm serve ${options} ${invalidation}`,
    `  $ prewarm submit --url ${url} --pops ${pops} --endpoint http://127.0.0.1:8787 --wait`,
    `  $ prewarm timing ${url} --pops ${pops} ${options}`,
    `  $ prewarm keep-warm --domain ${access.domain} --host ${host} --path /time --pops ${pops} ${options}`,
  ];
  return `${wrapWords(title, width)}
${faults === '' ? '' : `\nFaults:\n${faults}`}
Options of run, serve, timing and keep-warm that lead to it:
  ${options}
For run with --invalidate, and for serve, these too:
  ${invalidation}

In another terminal, for example:
${formatHelpText(examples.join('\n'), width)}
`;
}
