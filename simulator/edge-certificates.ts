import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

/** PEM texts of a server certificate. */
export interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface EdgeCertificates {
  readonly caPem: string;
  /** Covers the edge's names. */
  readonly leaf: ServerCertificate;
  /** By the same authority, for a name that is none of the edge's. */
  readonly wrongLeaf: ServerCertificate;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const HOUR_MS = 3_600_000;
const VALIDITY_MS = 30 * 24 * HOUR_MS;

interface Authority {
  readonly certificate: X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
}

const generateKeys = () => webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);

/** An hour back, so that a client whose clock is a little behind takes it. */
function validity() {
  return { notBefore: new Date(Date.now() - HOUR_MS), notAfter: new Date(Date.now() + VALIDITY_MS) };
}

async function createAuthority(): Promise<Authority> {
  const keys = await generateKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=Simulated edge authority',
    serialNumber: '01',
    ...validity(),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  return { certificate, keys };
}

async function privateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  const lines = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key))
    .toString('base64')
    .replaceAll(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n`;
}

async function issue(authority: Authority, serialNumber: string, names: readonly string[]): Promise<ServerCertificate> {
  const keys = await generateKeys();
  const certificate = await X509CertificateGenerator.create({
    subject: 'CN=Simulated edge',
    issuer: authority.certificate.subject,
    serialNumber,
    ...validity(),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: authority.keys.privateKey,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value }))),
    ],
  });
  return { cert: `${certificate.toString('pem')}\n`, key: await privateKeyPem(keys.privateKey) };
}

/** An authority made now, known to nobody else, and its certificates for `hosts` and `*.<host>`; nothing touches the disk. */
export async function createEdgeCertificates(hosts: readonly string[]): Promise<EdgeCertificates> {
  cryptoProvider.set(webcrypto);
  const authority = await createAuthority();
  const [leaf, wrongLeaf] = await Promise.all([
    issue(
      authority,
      '02',
      hosts.flatMap((host) => [host, `*.${host}`]),
    ),
    issue(authority, '03', ['another.invalid']),
  ]);
  return { caPem: `${authority.certificate.toString('pem')}\n`, leaf, wrongLeaf };
}
