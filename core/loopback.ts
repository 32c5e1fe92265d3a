import { isIP } from 'node:net';

/** Whether `host`, a name or an address without brackets, is this machine and cannot be reached from another one. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}
