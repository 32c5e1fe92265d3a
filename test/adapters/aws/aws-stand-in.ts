import { onTestFinished } from 'vitest';
import { type AnswerServer, openAnswerServer, type ServerAnswer } from '../../../testing/answer-server.ts';

/**
 * An AWS endpoint on loopback that answers as the test says, and configuration for a client of it: for answers that no
 * emulator gives on demand. The client tries each call once only, so that what is seen is the adapter's own doing.
 */
export async function openStandIn(answer: (request: string, nth: number) => ServerAnswer) {
  const server: AnswerServer = await openAnswerServer(answer);
  onTestFinished(() => server.close());
  const config = {
    endpoint: server.url,
    region: 'eu-west-1',
    credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'example' },
    maxAttempts: 1,
  };
  return { config, received: server.received };
}

export function json(status: number, body: unknown): ServerAnswer {
  return { status, body: JSON.stringify(body) };
}
