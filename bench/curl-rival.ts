import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EdgeCaches } from '../testing/nginx/edge-caches.ts';
import type { BenchContext } from './bench.ts';
import { runProcess } from './run-process.ts';

export interface CurlJob {
  readonly edge: EdgeCaches;
  readonly urls: readonly string[];
  /** Default: the caches' own. */
  readonly edgePort?: number;
}

const addressesOf = ({ edge }: CurlJob) => edge.caches.flatMap((cache) => cache.addresses);

/** One process, 64 at a time, connections kept, each URL once through each address, bodies thrown away. Returns downloads per second. */
export async function curlParallel(context: BenchContext, job: CurlJob): Promise<number> {
  const { edge, urls, edgePort = edge.edgePort } = job;
  const downloads = urls.map((url) => `url = "${url}"\noutput = "/dev/null"\n`).join('');
  const sections = addressesOf(job).map((ip) => {
    return `silent\nshow-error\nfail\nhttp1.1\ncacert = "${edge.caFile}"\nconnect-to = "::${ip}:${edgePort}"\n${downloads}`;
  });
  const config = join(context.dir, 'curl.config');
  await writeFile(config, sections.join('next\n'));
  const { seconds } = await runProcess('curl', ['--parallel', '--parallel-max', '64', '--config', config]);
  return (sections.length * urls.length) / seconds;
}

/** One process per download, six at a time, as predecessors do. Returns downloads per second. */
export async function curlPerUrl(job: CurlJob): Promise<number> {
  const { edge, urls, edgePort = edge.edgePort } = job;
  const addresses = addressesOf(job);
  const lines = urls.map((url, index) => `--connect-to ::${addresses[index % addresses.length]}:${edgePort} ${url}\n`);
  const fixed = ['-s', '-f', '-o', '/dev/null', '--cacert', edge.caFile];
  const { seconds } = await runProcess('xargs', ['-P', '6', '-L', '1', 'curl', ...fixed], { stdin: lines.join('') });
  return urls.length / seconds;
}
