import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

// A function's process: events come as lines on standard input, answers go as lines that begin with RESULT.

interface Entry {
  readonly handler: (event: unknown, context: unknown) => Promise<unknown>;
}

const { handler } = (await import(pathToFileURL(process.argv[2] ?? '').href)) as Entry;

for await (const line of createInterface({ input: process.stdin })) {
  const { event, awsRequestId } = JSON.parse(line) as { event: unknown; awsRequestId: string };
  const context = {
    awsRequestId,
    functionName: 'f',
    functionVersion: '1',
    memoryLimitInMB: '512',
    getRemainingTimeInMillis: () => Number(process.env['REMAINING_MS'] ?? 120_000),
  };
  const result = await handler(event, context).then(
    (answer) => ({ answer: answer ?? null }),
    (error: unknown) => ({ error: String(error) }),
  );
  process.stdout.write(`RESULT ${JSON.stringify(result)}\n`);
}
