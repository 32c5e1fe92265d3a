import { type InputFault, InvalidInput } from '../../core/errors.ts';
import { plainText } from '../../core/plain-text.ts';
import type { ListedRequest } from '../../client/api-answers.ts';
import { type ApiClient, createApiClient } from '../../client/api-client.ts';
import { readApiOptions } from '../options/api-flags.ts';
import { parseFlags, type RawOptions, wholeNumber } from '../options/flags.ts';
import { formatCount } from '../print/quantities.ts';
import { columnsOf } from '../print/screen.ts';
import { formatTable } from '../print/text-table.ts';
import { cutToWidth } from '../print/text-width.ts';
import { untilInterrupted } from '../until-interrupted.ts';

const SUCCESS = 0;
const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 1_000_000;
/** Columns of a name: a longer one would take the room of everything else. */
const MAX_NAME = 18;
/** Narrower tables have no room for the year. */
const WIDE = 100;
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

/** Targets that failed of themselves: what was stopped before it was tried has not failed. */
const failedOf = ({ failed_count: failed, stopped_count: stopped }: ListedRequest) => failed - stopped;

export function formatRequests(requests: readonly ListedRequest[], width: number): string {
  const cellsOf = (cell: (request: ListedRequest) => string) => requests.map(cell);
  const columns = [
    { head: 'Request', cells: cellsOf((request) => request.request_id), isText: true },
    { head: 'Status', cells: cellsOf((request) => request.status), isText: true },
    { head: 'Made (UTC)', cells: cellsOf((request) => request.created_at.slice(width < WIDE ? 5 : 0, 16)), isText: true, rank: 1 },
    { head: 'API key', cells: cellsOf((request) => request.made_by ?? ''), isText: true, rank: 4 },
    {
      head: 'Name',
      cells: cellsOf((request) => (request.name === null ? '' : cutToWidth(plainText(request.name), MAX_NAME, '…'))),
      isText: true,
      rank: 3.5,
    },
    { head: 'URLs', cells: cellsOf((request) => formatCount(request.url_count)), rank: 3 },
    { head: 'POPs', cells: cellsOf((request) => formatCount(request.pop_count)), rank: 5 },
    { head: 'Done', cells: cellsOf((request) => `${request.percentage_complete}%`) },
    { head: 'Failed', cells: cellsOf((request) => formatCount(failedOf(request))), rank: 2 },
  ];
  return formatTable(columns, width);
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
      if (!options.json)
        process.stdout.write(shown.length === 0 ? 'no requests\n' : `${formatRequests(shown, columnsOf(process.stdout))}\n`);
      return SUCCESS;
    },
    () => process.stderr.write('interrupted\n'),
  );
}
