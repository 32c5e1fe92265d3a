import { InvalidInput } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import type { SubmitOptions } from './submit-options.ts';
import { type TakenList, takeUrls } from './take-list.ts';
import { MAX_BODY_BYTES } from '../../core/request/request-body.ts';

/** What the API takes; a function behind a gateway could take no more. */

const tooLong = (field: string) =>
  new InvalidInput([
    inputFault(field, '', 'makes a request of more than 5 MiB, which is the most the API takes; split the list, as in: split -n l/4 FILE'),
  ]);

/**
 * The body of `POST /prewarm` with the whole list in it. Throws BadList for bad lines, and InvalidInput where the body would
 * be longer than the API takes; a list of any length is read no further than that.
 */
export async function readSubmitBody({ list, fields }: SubmitOptions, signal: AbortSignal): Promise<{ body: string; taken: TakenList }> {
  const field = list.file === null ? '--url' : list.file === '-' ? 'standard input' : list.file;
  const urls: string[] = [];
  let bytes = Buffer.byteLength(JSON.stringify({ ...fields, url_list: [] }));
  const taken = await takeUrls({ ...list, signal }, async (batches) => {
    for await (const batch of batches) {
      for (const url of batch) bytes += Buffer.byteLength(JSON.stringify(url)) + 1;
      if (bytes > MAX_BODY_BYTES) throw tooLong(field);
      urls.push(...batch);
    }
  });
  return { body: JSON.stringify({ ...fields, url_list: urls }), taken };
}
