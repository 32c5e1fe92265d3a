import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';

const firstLine = (command: string, ...args: string[]) => {
  // nginx tells its version on standard error.
  const said = execFileSync('sh', ['-c', '"$0" "$@" 2>&1', command, ...args], { encoding: 'utf8' });
  return said.split('\n')[0] ?? '';
};

/** What the figures were measured on, one line. */
export function describeMachine(): string {
  const cores = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  const curl = firstLine('curl', '--version').split(' ').slice(0, 2).join(' ');
  const nginx = firstLine('nginx', '-v').replace('nginx version: ', '');
  return `${cores.length} x ${cores[0]?.model ?? 'unknown processor'}, ${memory} GiB, Linux ${release()}, Node ${process.version}, ${curl}, ${nginx} (one worker)`;
}
