import { failureSchema, messageSchema } from './answer-schemas.ts';

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
