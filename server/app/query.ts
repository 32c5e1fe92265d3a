import { z } from '@hono/zod-openapi';

/** The query of a route. A parameter that it does not take is refused: a misspelt one would be passed over without a word. */
export function queryOf<Shape extends Readonly<Record<string, z.ZodType>>>(shape: Shape) {
  const names = Object.keys(shape).join(', ');
  return z.strictObject(shape, {
    error: ({ code }) => (code === 'unrecognized_keys' ? `is no parameter of this path, which takes ${names}` : undefined),
  });
}
