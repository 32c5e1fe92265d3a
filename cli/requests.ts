import { type InputFault, InvalidInput } from '../core/errors.ts';
import type { ListedRequest } from './api-answers.ts';
import { type ApiClient, createApiClient } from './api-client.ts';
import { readApiOptions } from './api-flags.ts';
import { parseFlags, type RawOptions, wholeNumber } from './flags.ts';
import { formatTable } from './pop-table.ts';
import { formatCount } from './quantities.ts';
import { untilInterrupted } from './until-interrupted.ts';

const SUCCESS = 0;
const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 1_000_000;
/** The most the API gives at once. */
const PAGE = 500;

/** Pages of requests, newest first, `limit` requests in all. */
async function* readPages(client: ApiClient, limit: number): AsyncGenerator<readonly ListedRequest[]> {
  let left = limit;
  let after: string | null = null;
  do {
    const page: Awaited<ReturnType<ApiClient['requests']>> = await client.requests(Math.min(PAGE, left), after);
    yield page.requests;
    left -= page.requests.length;
    after = page.requests.length === 0 ? null : page.next;
  } while (left > 0 && after !== null);
}

function formatRequests(requests: readonly ListedRequest[]): string {
  const rows = requests.map((request) => [
    request.request_id,
    request.status,
    request.created_at.slice(0, 19),
    request.made_by ?? '',
    formatCount(request.url_count),
    formatCount(request.pop_count),
    `${request.percentage_complete}%`,
    formatCount(request.failed_count),
  ]);
  return formatTable(['Request', 'Status', 'Made (UTC)', 'By', 'URLs', 'POPs', 'Done', 'Failed'], rows, 4);
}

/** `prewarm requests`: the requests the API knows, newest first; with `--json` one a line. */
export async function requests(raw: RawOptions): Promise<number> {
  const faults: InputFault[] = [];
  const options = readApiOptions(raw, process.env, faults);
  const { limit } = parseFlags({ limit: wholeNumber(1, MAX_LIMIT) }, raw, faults);
  if (faults.length > 0) throw new InvalidInput(faults);
  return untilInterrupted(
    async (signal) => {
      const shown: ListedRequest[] = [];
      for await (const page of readPages(createApiClient(options, signal), limit ?? DEFAULT_LIMIT)) {
        if (options.json) process.stdout.write(page.map((request) => `${JSON.stringify(request)}\n`).join(''));
        else shown.push(...page);
      }
      if (!options.json) process.stdout.write(shown.length === 0 ? 'no requests\n' : `${formatRequests(shown)}\n`);
      return SUCCESS;
    },
    () => process.stderr.write('interrupted\n'),
  );
}
