/** What llhttp says of an answer, and the code that Node gives beside it. Undici tells the text alone. */
const CODES: readonly (readonly [text: RegExp, code: string])[] = [
  [/^Invalid header (?:token|value char|field char)/, 'HPE_INVALID_HEADER_TOKEN'],
  [/^Missing expected CR/, 'HPE_CR_EXPECTED'],
  [/^Missing expected LF/, 'HPE_LF_EXPECTED'],
  [/^Duplicate Content-Length/, 'HPE_UNEXPECTED_CONTENT_LENGTH'],
  [/^(?:Transfer-Encoding can't be|Invalid `Transfer-Encoding`)/, 'HPE_INVALID_TRANSFER_ENCODING'],
  [/Content-Length/, 'HPE_INVALID_CONTENT_LENGTH'],
  [/^Expected HTTP\//, 'HPE_INVALID_CONSTANT'],
  [/^Invalid (?:status code|response status)/, 'HPE_INVALID_STATUS'],
  [/^(?:Invalid (?:HTTP|major|minor) version|Expected dot|Expected (?:space|CRLF) after version)/, 'HPE_INVALID_VERSION'],
  [/^(?:Invalid character in chunk size|Chunk size overflow)/, 'HPE_INVALID_CHUNK_SIZE'],
  [/^(?:Expected LF|Invalid character in chunk extensions|Invalid quoted-pair)/, 'HPE_STRICT'],
  [/^Unexpected space after start line/, 'HPE_UNEXPECTED_SPACE'],
];

const REASON = /^Response does not match the HTTP\/1\.1 protocol \((.*)\)$/s;

/** The parser's code and text: `HPE_INVALID_HEADER_TOKEN: Invalid header token`. A text without a known code stays alone. */
export function describeParserFault(message: string): string {
  const text = REASON.exec(message)?.[1] ?? message;
  const code = CODES.find(([known]) => known.test(text))?.[1];
  return code === undefined ? text : `${code}: ${text}`;
}
