type Method = (...values: never[]) => unknown;
type Methods<Port> = { readonly [Name in keyof Port]: Method | undefined };
/** The methods whose answer is read piece by piece. */
type Streams<Port> = {
  [Name in keyof Port]-?: NonNullable<Port[Name]> extends (...values: never[]) => AsyncIterable<unknown> ? Name : never;
}[keyof Port];

/**
 * A port that is opened at the first call of one of its methods. Loading every SDK client would be most of a cold start, and most calls
 * need one or two. Each method whose answer is read piece by piece is named in `streams`; the others answer promises.
 */
export function lazyPort<Port extends Methods<Port>>(open: () => Promise<Port>, ...streams: readonly Streams<Port>[]): Port {
  let opening: Promise<Port> | null = null;
  const methodOf = async (name: string) => {
    opening ??= open();
    const port = await opening;
    // A method that the opened port lacks is an optional one, and answers that nothing is known.
    return (...values: unknown[]) => (Reflect.get(port, name) as ((...values: unknown[]) => unknown) | undefined)?.apply(port, values);
  };
  const call =
    (name: string) =>
    async (...values: unknown[]) =>
      (await methodOf(name))(...values);
  const stream = (name: string) =>
    async function* (...values: unknown[]) {
      yield* (await methodOf(name))(...values) as AsyncIterable<unknown>;
    };
  return new Proxy({} as Port, {
    get(own, name) {
      // Whoever awaits a port asks for `then`, and must be given the port itself.
      if (name in own || typeof name === 'symbol' || name === 'then') return Reflect.get(own, name);
      return streams.some((known) => known === name) ? stream(name) : call(name);
    },
    ownKeys() {
      throw new TypeError('a lazy port has no methods of its own, so that it cannot be spread');
    },
  });
}
