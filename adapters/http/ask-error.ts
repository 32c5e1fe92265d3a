import type { AskError } from '../../core/ports/downloader.ts';
import { CONNECT_TIMEOUT } from './edge-socket.ts';

/** How far an ask had come when it failed. */
export type AskPhase = 'connecting' | 'sent' | 'answering';

const TIMEOUT_CODES: ReadonlySet<string> = new Set([CONNECT_TIMEOUT, 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'ETIMEDOUT']);
const RESET_CODES: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

interface CodedError extends Error {
  readonly code?: string;
  readonly errno?: number;
}

/** The peer closed or reset the connection, as opposed to silence or nonsense on it. */
export function isReset(error: CodedError): boolean {
  return RESET_CODES.has(error.code ?? '');
}

/** OpenSSL reports alerts as EPROTO with an errno, or as ERR_SSL_*; what is wrong with a certificate has a code of its own and no errno. */
function isTlsError(error: CodedError, phase: AskPhase): boolean {
  const code = error.code ?? '';
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_')) return true;
  return phase === 'connecting' && error.errno === undefined && !isReset(error);
}

export function classifyAskError(error: CodedError, phase: AskPhase): AskError {
  if (TIMEOUT_CODES.has(error.code ?? '')) return 'timeout';
  if (phase === 'answering') return 'truncated';
  return isTlsError(error, phase) ? 'tls' : 'connection';
}
