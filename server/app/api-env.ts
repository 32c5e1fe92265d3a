import { OpenAPIHono } from '@hono/zod-openapi';
import { InvalidInput } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';

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
