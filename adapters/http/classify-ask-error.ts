import type { AskError } from '../../core/ports/downloader.ts';
import { CONNECT_TIMEOUT } from './edge-socket.ts';

/** How far an ask had come when it failed. */
export type AskPhase = 'connecting' | 'sent' | 'answering';

const TIMEOUT_CODES: ReadonlySet<string> = new Set([CONNECT_TIMEOUT, 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'ETIMEDOUT']);
const RESET_CODES: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);
/** What Node's parser and undici's (which leaves the code out) say of an answer that is only too short. */
const TOO_SHORT = /INVALID_EOF_STATE|EOF/i;

export interface CodedError extends Error {
  readonly code?: string;
  readonly errno?: number;
}

/** The peer closed or reset the connection, as opposed to silence or nonsense on it. */
export function isReset(error: CodedError): boolean {
  return RESET_CODES.has(error.code ?? '') && !isNonsense(error);
}

/** What came over the connection is not HTTP/1.1, or is an answer to what nobody asked. */
function isNonsense({ code = '', name, message }: CodedError): boolean {
  if (code.startsWith('HPE_') || name === 'HTTPParserError') return !TOO_SHORT.test(`${code} ${message}`);
  if (code === 'UND_ERR_HEADERS_OVERFLOW') return true;
  return code === 'UND_ERR_SOCKET' && (message === 'bad response' || message === 'bad upgrade');
}

/** OpenSSL reports alerts as EPROTO with an errno, or as ERR_SSL_*; what is wrong with a certificate has a code of its own and no errno. */
function isTlsError(error: CodedError, phase: AskPhase): boolean {
  const code = error.code ?? '';
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_')) return true;
  return phase === 'connecting' && error.errno === undefined && !isReset(error);
}

export function classifyAskError(error: CodedError, phase: AskPhase): AskError {
  if (TIMEOUT_CODES.has(error.code ?? '')) return 'timeout';
  if (isNonsense(error)) return 'protocol';
  // Undici calls every fault of the parser this once the head has told a length; no body has begun yet.
  if (phase === 'sent' && error.code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') return 'protocol';
  if (phase === 'answering') return 'truncated';
  return isTlsError(error, phase) ? 'tls' : 'connection';
}

/** What is known of the ask that failed. */
export interface FailedAsk {
  readonly error: AskError;
  readonly phase: AskPhase;
  /** `ip:port` */
  readonly address: string;
  readonly bodyBytes: number;
  /** -1: not told. */
  readonly contentLength: number;
  readonly firstByteMs: number;
  readonly stallMs: number;
}

const seconds = (ms: number) => `${Math.round(ms / 100) / 10} s`;

/** What happened, in a few words for people: the system's or the parser's code, or which time was over. */
export function describeAskError(cause: CodedError | null, ask: FailedAsk): string {
  const { error, phase, address, bodyBytes, contentLength } = ask;
  const code = cause?.code ?? '';
  const bytes = contentLength < 0 ? `${bodyBytes} bytes` : `${bodyBytes} of ${contentLength} bytes`;
  if (error === 'timeout') {
    if (code === 'UND_ERR_HEADERS_TIMEOUT') return `no first byte within ${seconds(ask.firstByteMs)}`;
    if (code === 'UND_ERR_BODY_TIMEOUT') return `no further byte for ${seconds(ask.stallMs)} after ${bytes}`;
    return phase === 'connecting' ? `${address}: ${cause?.message ?? 'no connection in time'}` : `not ended in time: ${bytes}`;
  }
  if (error === 'truncated') return code === '' || code.startsWith('UND_ERR_') ? bytes : `${bytes}: ${code}`;
  if (error === 'tls') return code === '' ? (cause?.message ?? '') : `${code}: ${cause?.message ?? ''}`;
  if (error === 'protocol') return code === 'UND_ERR_SOCKET' || code === '' ? describeParserFault(cause?.message ?? '') : code;
  if (error !== 'connection') return '';
  return code === 'UND_ERR_SOCKET' || code === '' ? `${address}: ${cause?.message ?? 'closed'}` : `${code} ${address}`;
}

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
function describeParserFault(message: string): string {
  const text = REASON.exec(message)?.[1] ?? message;
  const code = CODES.find(([known]) => known.test(text))?.[1];
  return code === undefined ? text : `${code}: ${text}`;
}
