import { readFailedUrl } from '../../core/report/result-row.ts';

/** The header and the failed rows of a report, as it is read. */
export async function* failedRowsOnly(report: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = '';
  let isHeader = true;
  for await (const text of report) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    let wanted = '';
    for (const line of lines) {
      if (isHeader || readFailedUrl(line) !== null) wanted += `${line}\n`;
      isHeader = false;
    }
    if (wanted !== '') yield wanted;
  }
}

/** Bytes as they are asked for: a slow reader holds up the reading, not the memory. */
export function toByteStream(texts: AsyncIterable<string>): ReadableStream<Uint8Array> {
  const iterator = texts[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await iterator.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    async cancel() {
      await iterator.return?.();
    },
  });
}
