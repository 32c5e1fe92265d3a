import { createHash } from 'node:crypto';
import { type InputFault, InvalidInput } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import { keys } from '../../core/keys.ts';
import type { ListStore } from '../../core/ports/list-store.ts';
import { formatUrlRow } from '../../core/work/sized-list.ts';
import type { ListDigests, RunRecord } from '../../embedded/run-dir.ts';
import { hashList, type ListSource, takeUrls } from './take-list.ts';

export const REMEDY = 'leave it out to go on, or warm it by a run of its own in another --data-dir';

/** What tells the values of `--url` from others. */
export const hashUrls = (urls: readonly string[]) => createHash('sha256').update(JSON.stringify(urls)).digest('hex');

/**
 * Makes sure that the list given to a resumed run is the one that the run has had from its beginning. Throws InvalidInput
 * where it is another. A list that cannot be read is refused as for a run from the start.
 */
export async function checkSameList(source: ListSource, { requestId, list }: RunRecord, lists: ListStore): Promise<void> {
  const faults = list === undefined ? await compareUrls(source, requestId, lists) : await compareDigests(source, list);
  if (faults.length > 0) throw new InvalidInput(faults);
}

function otherList({ file, urls }: ListSource, which: { readonly file: boolean; readonly urls: boolean }): InputFault[] {
  return [
    ...(which.file ? [inputFault('FILE', file ?? '', `is not the list of the interrupted run; ${REMEDY}`)] : []),
    ...(which.urls ? [inputFault('--url', urls[0] ?? '', `is not what the interrupted run was given; ${REMEDY}`)] : []),
  ];
}

async function compareDigests(source: ListSource, list: ListDigests): Promise<InputFault[]> {
  return otherList(source, {
    file: source.file !== null && (await hashList(source)) !== list.file,
    urls: source.urls.length > 0 && hashUrls(source.urls) !== list.urls,
  });
}

/** The version before kept no digests, but it kept the URLs. */
async function compareUrls(source: ListSource, requestId: string, lists: ListStore): Promise<InputFault[]> {
  const given = createHash('sha256');
  try {
    await takeUrls(source, async (batches) => {
      for await (const batch of batches) given.update(batch.map(formatUrlRow).join(''));
    });
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    throw new InvalidInput([...otherList(source, { file: source.file !== null, urls: source.file === null }), ...error.faults]);
  }
  const kept = createHash('sha256');
  for await (const chunk of lists.read(keys.urls(requestId))) kept.update(chunk);
  const isOther = given.digest('hex') !== kept.digest('hex');
  return otherList(source, { file: isOther && source.file !== null, urls: isOther && source.file === null });
}
