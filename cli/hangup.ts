import { readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

let known: boolean | null = null;

const WRITE_ONLY = 1;
const ACCESS_MODE = 3;
/** SIGHUP is signal 1, and so the lowest bit. */
const HANGUP_BIT = 1n;

/**
 * Whether SIGHUP was ignored when this process was started, as `nohup` arranges it. Node gives every signal its default meaning back
 * before any of its programs runs, so this goes by what is left to see:
 * - the shell names the command that it started in the variable `_`, and that was nohup;
 * - GNU's nohup replaces a terminal at standard input by /dev/null, opened for writing only;
 * - the parent (a shell after `trap '' HUP`, or a script under nohup) ignores the signal itself, which it hands on. Linux only.
 */
export function isHangupIgnored(): boolean {
  // Looked at once: the parent may go before somebody asks again.
  known ??= basename(process.env['_'] ?? '') === 'nohup' || isInputOfNohup() || doesParentIgnore();
  return known;
}

function isInputOfNohup(): boolean {
  const info = readIfThere(() => (readlinkSync('/proc/self/fd/0') === '/dev/null' ? readFileSync('/proc/self/fdinfo/0', 'utf8') : ''));
  const flags = /^flags:\s*([0-7]+)/m.exec(info)?.[1];
  return flags !== undefined && (Number.parseInt(flags, 8) & ACCESS_MODE) === WRITE_ONLY;
}

function doesParentIgnore(): boolean {
  // The first process of the machine adopts orphans, and starts nothing like this.
  if (process.ppid <= 1) return false;
  const status = readIfThere(() => readFileSync(`/proc/${process.ppid}/status`, 'utf8'));
  const ignored = /^SigIgn:\s*([0-9a-f]+)/m.exec(status)?.[1];
  return ignored !== undefined && (BigInt(`0x${ignored}`) & HANGUP_BIT) !== 0n;
}

/** '' where there is no such file: another system than Linux, or a parent that has just gone. */
function readIfThere(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}

/** Ignores SIGHUP as long as this process lives. */
export function ignoreHangup(): void {
  process.on('SIGHUP', () => {});
}
