import { randomBytes } from 'node:crypto';
import { DeleteObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import type { Clock } from '../../core/clock.ts';
import { keys } from '../../core/keys.ts';
import type { VariantHeaders, ViewerHeaders } from '../../core/ports/viewer-headers.ts';
import { attempt } from './aws-error.ts';
import { createDynamoCalls, type DynamoCallsOptions } from './dynamo-calls.ts';
import { expiresAt, fromItem, toItem } from './dynamo-rows.ts';
import { type DynamoTableNames, HEADERS_PARTITION_PREFIX } from '../../deployment/tables.ts';
import { createS3ListStore } from './s3-list-store.ts';

// A lazy import of this module brings the client along.
export { S3Client } from '@aws-sdk/client-s3';

const NAME_BYTES = 32;
const NAMED = 'name';

export interface S3ViewerHeadersOptions {
  readonly client: S3Client;
  readonly bucket: string;
}

/** Reads the headers that a task names: all that an agent may do with them. */
export function createS3HeaderReader({ client, bucket }: S3ViewerHeadersOptions): Pick<ViewerHeaders, 'read'> {
  const lists = createS3ListStore(client, { bucket });
  return {
    async read(name) {
      const chunks = await Array.fromAsync(lists.read(keys.headers(name)));
      return JSON.parse(Buffer.concat(chunks).toString()) as VariantHeaders;
    },
  };
}

/**
 * The headers are an object of the bucket. Its name is 256 random bits, and lies in a partition of the POP table that no agent may read.
 * The object comes first, then its name: what a crash leaves behind is named by nobody, and the bucket's lifecycle removes it.
 */
export function createS3ViewerHeaders(
  objects: S3ViewerHeadersOptions,
  tables: Pick<DynamoCallsOptions, 'client' | 'clock'> & { readonly tables: Pick<DynamoTableNames, 'pops'> },
): ViewerHeaders {
  const { client, bucket } = objects;
  const { clock }: { readonly clock: Clock } = tables;
  const table = tables.tables.pops;
  const calls = createDynamoCalls({ client: tables.client, clock });
  const lists = createS3ListStore(client, { bucket });
  const keyOf = (requestId: string) => toItem({ pk: `${HEADERS_PARTITION_PREFIX}${requestId}`, sk: NAMED });

  async function nameOf(requestId: string): Promise<string | null> {
    const item = await calls.get(`looking for the headers of request ${requestId}`, { table, key: keyOf(requestId) });
    return item === null ? null : (fromItem(item) as { readonly name: string }).name;
  }

  return {
    ...createS3HeaderReader(objects),
    nameOf,
    async keep(requestId, headers) {
      const name = randomBytes(NAME_BYTES).toString('base64url');
      await lists.put(keys.headers(name), [JSON.stringify(headers)]);
      const item = { ...keyOf(requestId), ...toItem({ name, expiresAt: expiresAt(clock.now()) }) };
      await calls.put(`naming the headers of request ${requestId}`, table, item, { ConditionExpression: 'attribute_not_exists(pk)' });
    },
    async drop(requestId) {
      const name = await nameOf(requestId);
      if (name === null) return;
      const command = new DeleteObjectCommand({ Bucket: bucket, Key: keys.headers(name) });
      await attempt(`dropping the headers of request ${requestId}`, () => client.send(command), { permissions: 's3:DeleteObject' });
    },
  };
}
