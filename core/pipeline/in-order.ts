/** Objects of a store that are read at once: one after another, a hundred thousand of them take an hour. */
export const READS_AHEAD = 8;

/** What `work` makes of each item, in their order; up to `ahead` of them are under way at a time. */
export async function* inOrder<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  ahead: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const underWay: Promise<R>[] = [];
  for await (const item of items) {
    const result = work(item);
    // Whoever takes it is told of its failure; nobody may.
    result.catch(() => undefined);
    underWay.push(result);
    if (underWay.length === ahead) yield (await underWay.shift()) as R;
  }
  for (const rest of underWay) yield await rest;
}
