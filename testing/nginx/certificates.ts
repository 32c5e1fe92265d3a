import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** PEM files of a server certificate and the authority that signed it. */
export interface Certificates {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

export const OPENSSL = 'openssl';
const EC_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** Makes an authority and a certificate for `host` with the openssl command, in `dir`. */
export async function makeCertificates(dir: string, host: string): Promise<Certificates> {
  const at = (name: string) => join(dir, name);
  const [caFile, certFile, keyFile] = [at('ca.pem'), at('edge.pem'), at('edge.key')];
  const openssl = async (...args: readonly string[]) => {
    await run(OPENSSL, args);
  };
  const subject = ['-days', '2', '-subj', '/CN=edge caches test authority'];
  await openssl('req', '-x509', ...EC_KEY, ...subject, '-keyout', at('ca.key'), '-out', caFile);
  await openssl('req', ...EC_KEY, '-subj', `/CN=${host}`, '-keyout', keyFile, '-out', at('edge.csr'));
  await writeFile(at('edge.ext'), `subjectAltName=DNS:${host}\nbasicConstraints=CA:FALSE\n`);
  const authority = ['-CA', caFile, '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2'];
  await openssl('x509', '-req', '-in', at('edge.csr'), ...authority, '-extfile', at('edge.ext'), '-out', certFile);
  return { caFile, certFile, keyFile };
}
