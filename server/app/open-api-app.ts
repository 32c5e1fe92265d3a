import { OpenAPIHono, z } from '@hono/zod-openapi';
import { failureSchema, messageSchema } from './answer-schemas.ts';
import { InvalidInput } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';

const json = <T>(schema: T, description: string) => ({ description, content: { 'application/json': { schema } } });

/** An answer of 200. */
export const ok = <T>(schema: T, description: string) => ({ 200: json(schema, description) });

const FAILURES = {
  400: json(failureSchema, 'Something in the request is wrong; the message names it, and nothing was made or changed'),
  404: json(failureSchema, 'There is no such request'),
  409: json(failureSchema, 'Not in the state the request is in'),
  413: json(failureSchema, 'The body is larger than 5 MiB'),
} as const;

/** Answers that every keyed route may give. */
export const keyed = {
  403: json(messageSchema, 'The key is missing or wrong, or may only ask'),
  503: json(failureSchema, 'The storage does not work; nothing was lost, try again later'),
};

/** Failures that a route documents beside those of every route. */
export function failures<Status extends keyof typeof FAILURES>(...statuses: readonly Status[]): Pick<typeof FAILURES, Status> {
  return Object.fromEntries(statuses.map((status) => [status, FAILURES[status]])) as Pick<typeof FAILURES, Status>;
}

/** What middleware leaves for handlers: `keyName` is the name of the API key, on every keyed route. */
export interface ApiEnv {
  Variables: { keyName: string };
}

export type ApiApp = OpenAPIHono<ApiEnv>;

/** An app whose query parameters are refused in the same way as everything else. */
export function createOpenApiApp(): ApiApp {
  return new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => {
      if (result.success) return;
      const faults = result.error.issues.flatMap((issue) => {
        const fields = issue.code === 'unrecognized_keys' ? issue.keys : [issue.path.join('.')];
        return fields.map((field) => inputFault(field, '', issue.message));
      });
      throw new InvalidInput(faults);
    },
  });
}

/** The query of a route. A parameter that it does not take is refused: a misspelt one would be passed over without a word. */
export function queryOf<Shape extends Readonly<Record<string, z.ZodType>>>(shape: Shape) {
  const names = Object.keys(shape).join(', ');
  return z.strictObject(shape, {
    error: ({ code }) => (code === 'unrecognized_keys' ? `is no parameter of this path, which takes ${names}` : undefined),
  });
}
