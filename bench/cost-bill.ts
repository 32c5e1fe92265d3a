import type { Usage } from './cost-usage.ts';

/** A call of an AWS service, as it went over the wire. */
export interface WireCall {
  /** As in the credential's scope: `sqs`, `s3`. */
  readonly service: string;
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  /** `AmazonSQS.ReceiveMessage`; empty for REST. */
  readonly target: string;
  readonly body: Buffer;
  readonly answer: Buffer;
}

export interface Billed {
  /** For people: `sqs ReceiveMessage (empty)`. */
  readonly name: string;
  readonly usage: Partial<Usage>;
}

/** SQS, SNS and EventBridge count every 64 KiB begun as a call of its own. */
const CHUNK_BYTES = 64 * 1024;
const chunks = (bytes: number) => Math.max(1, Math.ceil(bytes / CHUNK_BYTES));

const FREE: ReadonlySet<string> = new Set(['autoscaling', 'scheduler', 'cloudfront', 'sts']);

interface Bodies {
  readonly Entries?: readonly { readonly MessageBody?: string; readonly Detail?: string }[];
  readonly Messages?: readonly { readonly Body?: string }[];
  readonly MessageBody?: string;
}

const parse = (bytes: Buffer): Bodies => (bytes.length === 0 ? {} : (JSON.parse(bytes.toString()) as Bodies));
const bytesOf = (texts: readonly (string | undefined)[]) => texts.reduce((sum, text = '') => sum + Buffer.byteLength(text), 0);

function billQueue(operation: string, { body, answer }: WireCall): Billed {
  const sent = parse(body);
  const messages = operation === 'ReceiveMessage' ? (parse(answer).Messages ?? []).map(({ Body }) => Body) : null;
  const bodies = messages ?? [sent.MessageBody, ...(sent.Entries ?? []).map(({ MessageBody }) => MessageBody)];
  const name = messages?.length === 0 ? `${operation} (empty)` : operation;
  return { name: `sqs ${name}`, usage: { sqsRequests: chunks(bytesOf(bodies)) } };
}

function billBucket({ method, path }: WireCall): Billed {
  if (method === 'DELETE') return { name: 's3 DELETE', usage: {} };
  if (method === 'HEAD') return { name: 's3 HEAD', usage: { s3Gets: 1 } };
  if (method !== 'GET') return { name: `s3 ${method}`, usage: { s3Puts: 1 } };
  const isList = /^\/[^/?]*\/?\?/.test(path);
  return isList ? { name: 's3 LIST', usage: { s3Puts: 1 } } : { name: 's3 GET', usage: { s3Gets: 1 } };
}

/** What is billed of a call, DynamoDB's left out. Scheduler bills invocations, and Auto Scaling nothing. Throws for a service it does not know. */
export function billCall(call: WireCall): Billed {
  const operation =
    call.target.slice(call.target.lastIndexOf('.') + 1) || /(?:^|&)Action=(\w+)/.exec(call.body.toString())?.[1] || call.method;
  const name = `${call.service} ${operation}`;
  switch (call.service) {
    case 'sqs':
      return billQueue(operation, call);
    case 's3':
      return billBucket(call);
    case 'events': {
      const entries = parse(call.body).Entries ?? [];
      return { name, usage: { busEvents: entries.reduce((sum, { Detail }) => sum + chunks(bytesOf([Detail])), 0) } };
    }
    case 'sns':
      return { name, usage: { topicMessages: chunks(call.body.length) } };
    default:
      if (FREE.has(call.service)) return { name, usage: {} };
      throw new Error(`it is not known what ${name} costs`);
  }
}
