import { createUndiciDownloader } from '../../adapters/http/undici-downloader.ts';
import type { Downloader } from '../../core/ports/downloader.ts';
import type { EdgeSettings } from '../function-config.ts';

export function openDownloader({ ca, allowPrivateAddresses }: EdgeSettings): Downloader {
  return createUndiciDownloader({ allowPrivateAddresses, ...(ca === null ? {} : { ca }) });
}
