import { afterEach } from 'vitest';
import { createUndiciDownloader, type UndiciDownloaderOptions } from '../../../adapters/http/undici-downloader.ts';
import type { EdgeAddress } from '../../../core/pops/address.ts';
import { CancellableScope } from '../../../core/ask-scope.ts';
import type { Ask, Downloader } from '../../../core/ports/downloader.ts';
import { createEdgeCertificates, type ServerCertificate } from '../../../simulator/edge-certificates.ts';
import { openScriptedEdge, type Script, type ScriptedEdge } from './scripted-edge.ts';

export const certificates = await createEdgeCertificates(['edge.test', 'other.test']);

const toClose: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const thing of toClose.splice(0).toReversed()) await thing.close();
});

/** A downloader that trusts the test's authority; closed after the test. */
export function openDownloader(options: Partial<UndiciDownloaderOptions> = {}): Downloader {
  const downloader = createUndiciDownloader({ ca: certificates.caPem, allowPrivateAddresses: true, ...options });
  toClose.push(downloader);
  return downloader;
}

/** An edge over TLS, closed after the test. */
export function openEdge(script: Script, certificate: ServerCertificate | null = certificates.leaf): Promise<ScriptedEdge> {
  return openScriptedEdge(certificate, script).then((edge) => {
    toClose.push(edge);
    return edge;
  });
}

export function askFor(address: EdgeAddress, more: Partial<Ask> = {}): Ask {
  return { method: 'GET', url: 'https://edge.test/object', address, headers: [], scope: new CancellableScope(), ...more };
}
