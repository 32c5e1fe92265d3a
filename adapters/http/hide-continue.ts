/** How far the head of the answer that is awaited has been looked at. */
export interface HeadState {
  /** Bytes of this head so far; -1: it is the head of a final answer, which is left alone. */
  position: number;
  isTen: boolean;
  lineLength: number;
}

const FIRST_DIGIT = 'HTTP/1.1 '.length;
const SECOND_DIGIT = FIRST_DIGIT + 1;
const THIRD_DIGIT = FIRST_DIGIT + 2;
const [LF, CR, ZERO, ONE, THREE] = [0x0a, 0x0d, 0x30, 0x31, 0x33] as const;
const FINAL = -1;

export const createHead = (): HeadState => ({ position: 0, isTen: false, lineLength: 0 });

/** A new answer is awaited. */
export function awaitHead(head: HeadState): void {
  head.position = 0;
  head.lineLength = 0;
}

/**
 * Turns an interim 100 (Continue), which undici takes for a fault of the server, into an interim 103, which it passes over. RFC 9110 lets a
 * client receive any number of interim answers that it did not ask for. Works in place, whatever way the bytes are cut into chunks.
 */
export function hideContinue(bytes: Buffer, head: HeadState): void {
  for (let at = 0; at < bytes.length && head.position !== FINAL; at++) {
    const byte = bytes[at];
    const { position } = head;
    head.position++;
    if (position === FIRST_DIGIT && byte !== ONE) head.position = FINAL;
    else if (position === SECOND_DIGIT) head.isTen = byte === ZERO;
    else if (position === THIRD_DIGIT && head.isTen && byte === ZERO) bytes[at] = THREE;
    if (byte === LF) {
      if (head.lineLength === 0 && position > THIRD_DIGIT) awaitHead(head);
      head.lineLength = 0;
    } else if (byte !== CR) head.lineLength++;
  }
}
