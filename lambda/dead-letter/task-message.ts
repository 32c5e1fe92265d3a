import * as z from 'zod';
import { isHeadersName, type TaskMessage } from '../../core/work/task.ts';
import { InvalidInput } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';
import { parseJson } from '../event-records.ts';

const place = z.int().nonnegative();

const schema: z.ZodType<TaskMessage> = z.object({
  requestId: z.string().min(1),
  taskId: z.string().min(1),
  pop: z.string().min(1),
  addresses: z.array(z.object({ ip: z.string(), port: place, httpPort: place })),
  wave: z.literal(0),
  slice: z.object({ list: z.enum(['sized', 'failed']), number: place, part: place, start: place, end: place, rows: place }),
  headers: z.string().refine(isHeadersName, 'names no headers').exactOptional(),
});

/** The body of a queue's message about a task. Throws InvalidInput. */
export function parseTaskMessage(body: string): TaskMessage {
  const parsed = schema.safeParse(parseJson(body));
  if (parsed.success) return parsed.data;
  throw new InvalidInput(parsed.error.issues.map(({ path, message }) => inputFault(`message ${path.join('.')}`, body, message)));
}
