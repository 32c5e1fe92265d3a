import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type EdgeMap, parseEdgeMap } from '../../adapters/dns/edge-map-resolver.ts';
import { type InputFault, InvalidInput } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import type { EdgeOptions } from '../../embedded/edge-access.ts';
import { parseFlags, portFlag, type RawOptions, socketFlag, textFlag, yesFlag } from './flags.ts';

const HTTPS_PORT = 443;
const HTTP_PORT = 80;
const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

const FLAGS = {
  dnsServer: socketFlag,
  edgePort: portFlag,
  edgeHttpPort: portFlag,
  edgeMap: textFlag('the path of a JSON file'),
  caFile: textFlag('the path of a PEM file'),
  allowPrivateAddresses: yesFlag,
} as const;

/** The file's text; null with a fault where it cannot be read. */
function readText(flag: string, path: string, faults: InputFault[]): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    faults.push(inputFault(flag, path, `cannot be read (${(error as NodeJS.ErrnoException).code}); name a file that this user may read`));
    return null;
  }
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}

function readCa(path: string, faults: InputFault[]): EdgeOptions['ca'] {
  const pem = readText('--ca-file', path, faults);
  if (pem === null) return null;
  const certificates = pem.match(PEM_CERTIFICATE) ?? [];
  if (certificates.length > 0 && certificates.every(isCertificate)) return { pem, file: resolve(path) };
  faults.push(inputFault('--ca-file', path, 'holds no certificate in PEM form; it starts with -----BEGIN CERTIFICATE-----'));
  return null;
}

function readEdgeMap(path: string, faults: InputFault[]): EdgeMap | null {
  const text = readText('--edge-map', path, faults);
  if (text === null) return null;
  try {
    return parseEdgeMap(text, '--edge-map');
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    faults.push(...error.faults);
    return null;
  }
}

/** Reads the edge options and the files they name; what is wrong is added to `faults`. */
export function readEdgeOptions(raw: RawOptions, faults: InputFault[]): EdgeOptions {
  const flags = parseFlags(FLAGS, raw, faults);
  return {
    dnsServer: flags.dnsServer ?? null,
    edgePort: flags.edgePort ?? HTTPS_PORT,
    edgeHttpPort: flags.edgeHttpPort ?? HTTP_PORT,
    edgeMap: flags.edgeMap === undefined ? null : readEdgeMap(flags.edgeMap, faults),
    ca: flags.caFile === undefined ? null : readCa(flags.caFile, faults),
    allowPrivateAddresses: flags.allowPrivateAddresses ?? false,
  };
}
