import type { Socket } from 'node:net';
import { createHead, type HeadState, hideContinue } from './hide-continue.ts';

/** What a socket's owner tells the reader of its chunks. */
export interface ReadState {
  /**
   * A body without trailers is being read: its owner counts each chunk and keeps none. False in heads and in chunked bodies, which may end
   * in trailers: undici keeps pieces of unfinished header lines, wherever they stand.
   */
  inPlainBody: boolean;
  readonly head: HeadState;
}

export const createReadState = (): ReadState => ({ inPlainBody: false, head: createHead() });

/**
 * Where every socket reads to, one chunk at a time: Node would allocate a buffer per TLS record, and at hundreds of megabytes a second tens of
 * megabytes of them wait for the garbage collector.
 */
const sharedBuffer = Buffer.allocUnsafeSlow(64 * 1024);

export interface ChunkReader {
  /** Where the socket reads to. */
  readonly buffer: Buffer;
  readonly attach: (socket: Socket) => void;
  /** Takes what the socket has read. False stops the socket; the next `read()` that finds nothing here starts it again. */
  readonly callback: (bytes: number) => boolean;
}

/**
 * Hands each chunk to undici, which asks `read()` for it on 'readable'. Undici sees the shared buffer itself in plain bodies only. Whatever
 * it may keep is a copy: heads, trailers, and what it does not take at once because it paused.
 */
export function createChunkReader(state: ReadState): ChunkReader {
  const unread: Buffer[] = [];
  let reading: Socket | undefined;
  return {
    buffer: sharedBuffer,
    attach: (socket) => {
      reading = socket;
      const read = socket.read.bind(socket);
      socket.read = (size?: number) => (size === undefined ? unread.shift() : undefined) ?? read(size);
      // Undici gives back what it had not parsed when it paused; the next chunk would overwrite it.
      socket.unshift = (rest: Buffer) => void (rest.length > 0 && unread.unshift(Buffer.from(rest)));
    },
    callback: (bytes) => {
      const view = sharedBuffer.subarray(0, bytes);
      if (state.inPlainBody) unread.push(view);
      else {
        const copy = Buffer.from(view);
        hideContinue(copy, state.head);
        unread.push(copy);
      }
      reading?.emit('readable');
      const last = unread.length - 1;
      if (last < 0) return true;
      if (unread[last] === view) unread[last] = Buffer.from(view);
      return false;
    },
  };
}
