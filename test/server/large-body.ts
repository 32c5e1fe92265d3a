/** What the API takes at most. */
export const BODY_BYTES = 5 * 1024 * 1024;

/** A body with as many elements in the list `field` as fit into 5 MiB; `element` and `rest` are JSON. */
export function fillBody(field: string, element: (at: number) => string, rest: string): string {
  const elements: string[] = [];
  for (let bytes = Buffer.byteLength(rest) + 100, at = 0; ; at++) {
    const text = element(at);
    bytes += Buffer.byteLength(text) + 1;
    if (bytes > BODY_BYTES) break;
    elements.push(text);
  }
  return `{${rest}${rest === '' ? '' : ','}${JSON.stringify(field)}:[${elements.join()}]}`;
}
