/** Where an answer came from, seen from the wanted POP. `near`: another POP of the same city. */
export type ServedBy = 'same' | 'near' | 'other';

/** Whether two POPs stand in the same city. */
export type SameCity = (a: string, b: string) => boolean;

/**
 * Reads `x-amz-cf-pop`, whose lines are joined by commas. A distribution that stands behind another one sends a value of each:
 * the wanted POP among them counts. Letter case and surrounding white space mean nothing.
 */
export function readServedBy(header: string, wanted: string, sameCity: SameCity): ServedBy {
  if (header === wanted) return 'same';
  let servedBy: ServedBy = 'other';
  for (const value of header.split(',')) {
    const pop = value.trim().toUpperCase();
    if (pop === wanted.toUpperCase()) return 'same';
    if (servedBy === 'other' && sameCity(pop, wanted)) servedBy = 'near';
  }
  return servedBy;
}

/** The same for one wanted POP. It keeps the last answer's result, since a POP mostly answers with the same header. */
export function createServedByReader(wanted: string, sameCity: SameCity): (header: string) => ServedBy {
  let lastHeader = wanted;
  let last: ServedBy = 'same';
  return (header) => {
    if (header === lastHeader) return last;
    last = readServedBy(header, wanted, sameCity);
    lastHeader = header;
    return last;
  };
}
