import { describe, expect, expectTypeOf, test } from 'vitest';
import { lazyPort } from '../../../core/ports/lazy-port.ts';

interface Shelf {
  put(name: string, text: string): Promise<number>;
  read(name: string): AsyncIterable<string>;
  describe?(): Promise<string>;
}

function openShelf() {
  const texts = new Map<string, string>();
  let opened = 0;
  const shelf: Shelf = {
    async put(name, text) {
      texts.set(name, text);
      return texts.size;
    },
    async *read(name) {
      yield* texts.get(name) ?? '';
    },
  };
  const open = async () => {
    opened += 1;
    return shelf;
  };
  return { open, opened: () => opened };
}

describe('a lazy port', () => {
  test('a lazy port is opened once by its first call, also when calls come at the same time', async () => {
    const { open, opened } = openShelf();
    const shelf = lazyPort<Shelf>(open, 'read');
    expect(opened()).toBe(0);
    expect(await Promise.all([shelf.put('a', 'xy'), shelf.put('b', 'z')])).toEqual([1, 2]);
    expect(opened()).toBe(1);
  });

  test('a lazy port hands a stream on piece by piece, and opens the port only when the stream is read', async () => {
    const { open, opened } = openShelf();
    const shelf = lazyPort<Shelf>(open, 'read');
    const pieces = shelf.read('a');
    expect(opened()).toBe(0);
    await shelf.put('a', 'xy');
    expect(await Array.fromAsync(pieces)).toEqual(['x', 'y']);
  });

  test('a lazy port answers undefined for an optional method that the opened port lacks', async () => {
    const shelf = lazyPort<Shelf>(openShelf().open, 'read');
    expect(await shelf.describe?.()).toBeUndefined();
  });

  test('a lazy port fails each call with the reason why it cannot be opened', async () => {
    const shelf = lazyPort<Shelf>(async () => Promise.reject(new Error('no such module')), 'read');
    await expect(shelf.put('a', 'x')).rejects.toThrow('no such module');
    await expect(Array.fromAsync(shelf.read('a'))).rejects.toThrow('no such module');
  });

  test('a lazy port can be the answer of an async function without being opened, and keeps values beside its methods', async () => {
    const { open, opened } = openShelf();
    const make = async () => Object.assign(lazyPort<Shelf>(open, 'read'), { width: 7 });
    expect((await make()).width).toBe(7);
    expect(opened()).toBe(0);
  });

  test('a lazy port refuses to be spread, which would lose its methods', () => {
    const shelf = lazyPort<Shelf>(openShelf().open, 'read');
    expect(() => ({ ...shelf })).toThrow('cannot be spread');
  });

  test('a lazy port takes the names of streams alone, and ports of methods alone', () => {
    expectTypeOf(lazyPort<Shelf>)
      .parameter(1)
      .toEqualTypeOf<'read'>();
    // @ts-expect-error a port that has more than methods is none that can be opened later
    lazyPort<{ readonly width: number }>(async () => ({ width: 7 }));
  });
});
