import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import {
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { sleep, systemClock } from '../../core/clock.ts';
import { PrewarmError } from '../../core/errors.ts';
import type { ListStore, ResultMetadata } from '../../core/ports/list-store.ts';
import { type AwsCall, attempt, awsErrorName, translateAwsError } from './aws-error.ts';
import { jitteredPause } from './send-batch.ts';

// A lazy import of this module brings the client along.
export { S3Client } from '@aws-sdk/client-s3';

/** Chunks may be single rows: they are gathered to this many characters for the uploader. */
const GATHERED_CHARACTERS = 256 * 1024;
/** Objects up to this size are one PutObject. Two parts are held in memory at a time. */
const PART_BYTES = 8 * 1024 * 1024;
const PARTS_AT_ONCE = 2;
/** Smaller bodies do not gain from gzip. */
const GZIP_FROM_BYTES = 1024;
/** In a row without a single byte; a body that breaks later is gone on with as often as it takes. */
const READ_TRIES = 5;
const RESULT_TRIES = 8;

const gzipBytes = promisify(gzip);
const gunzipBytes = promisify(gunzip);

const READ: AwsCall = { permissions: 's3:GetObject' };
const WRITE: AwsCall = {
  permissions: 's3:PutObject and s3:AbortMultipartUpload',
  remedies: { MetadataTooLarge: "S3 takes 2 KB of metadata; the task's figures do not fit" },
};

export interface S3ListStoreOptions {
  readonly bucket: string;
  /** Size of a part of a multipart upload, at least 5 MiB. Default 8 MiB. */
  readonly partBytes?: number;
}

interface ByteRange {
  readonly start: number;
  readonly end?: number;
}

/**
 * Lists and results as objects of a bucket. Results of 1 KiB and more are kept gzipped (`Content-Encoding: gzip`), which
 * reading undoes; lists are kept as they are, since they are read by byte range. Metadata keys are lower case.
 * A role that looks for what may not be there needs s3:ListBucket beside s3:GetObject and s3:PutObject: without it S3 says 403.
 */
export function createS3ListStore(client: S3Client, { bucket, partBytes = PART_BYTES }: S3ListStoreOptions): ListStore {
  const metadataOf = (key: string) => attempt(`reading the metadata of ${key}`, () => headMetadata(client, bucket, key), READ);

  return {
    put: (key, chunks) => upload(client, { Bucket: bucket, Key: key, ContentType: contentTypeOf(key) }, chunks, partBytes),
    read: (key, range = { start: 0 }) => readBytes(client, bucket, key, range),
    async putResult(key, body, metadata) {
      const input = await resultInput(bucket, key, body, metadata);
      for (let tried = 1; ; tried++) {
        const outcome = await attempt(`writing ${key}`, () => putIfAbsent(client, input), WRITE);
        if (outcome === 'written') return { existing: null };
        // Somebody else is writing it at this moment, or it was there and has been deleted since.
        const existing = outcome === 'exists' ? await metadataOf(key) : null;
        if (existing !== null) return { existing };
        if (tried === RESULT_TRIES) throw new PrewarmError('storage', `writing ${key}: others keep writing it; try again`);
        await sleep(systemClock, jitteredPause(tried));
      }
    },
    resultMetadata: metadataOf,
    readResult: (key) => readResult(client, bucket, key),
  };
}

function contentTypeOf(key: string): string {
  return key.endsWith('.json') ? 'application/json' : 'text/csv; charset=utf-8';
}

async function upload(
  client: S3Client,
  target: { readonly Bucket: string; readonly Key: string; readonly ContentType: string },
  chunks: Iterable<string> | AsyncIterable<string>,
  partBytes: number,
): Promise<number> {
  const source: { bytes: number; failure: { readonly error: unknown } | null } = { bytes: 0, failure: null };
  async function* counted() {
    try {
      for await (const buffer of gather(chunks)) {
        source.bytes += buffer.length;
        yield buffer;
      }
    } catch (error) {
      source.failure = { error };
      throw error;
    }
  }
  const body = Readable.from(counted(), { objectMode: false });
  const work = new Upload({ client, params: { ...target, Body: body }, partSize: partBytes, queueSize: PARTS_AT_ONCE });
  try {
    await attempt(`writing ${target.Key}`, () => work.done(), WRITE);
  } catch (error) {
    // What broke the caller's own source tells more than what that made of the upload.
    throw source.failure === null ? error : source.failure.error;
  }
  return source.bytes;
}

async function* gather(chunks: Iterable<string> | AsyncIterable<string>): AsyncGenerator<Buffer> {
  let gathered = '';
  for await (const chunk of chunks) {
    gathered += chunk;
    if (gathered.length < GATHERED_CHARACTERS) continue;
    yield Buffer.from(gathered);
    gathered = '';
  }
  if (gathered !== '') yield Buffer.from(gathered);
}

async function resultInput(bucket: string, key: string, body: string, metadata: ResultMetadata): Promise<PutObjectCommandInput> {
  const plain = Buffer.from(body);
  const isGzipped = plain.length >= GZIP_FROM_BYTES;
  return {
    Bucket: bucket,
    Key: key,
    Body: isGzipped ? await gzipBytes(plain) : plain,
    ContentType: contentTypeOf(key),
    Metadata: encodeMetadata(metadata),
    IfNoneMatch: '*',
    ...(isGzipped ? { ContentEncoding: 'gzip' } : {}),
  };
}

/** `conflict`: another write of the same key was under way, and S3 has not decided between the two. */
async function putIfAbsent(client: S3Client, input: PutObjectCommandInput): Promise<'written' | 'exists' | 'conflict'> {
  try {
    await client.send(new PutObjectCommand(input));
    return 'written';
  } catch (error) {
    if (awsErrorName(error) === 'PreconditionFailed') return 'exists';
    if (awsErrorName(error) === 'ConditionalRequestConflict') return 'conflict';
    throw error;
  }
}

async function headMetadata(client: S3Client, bucket: string, key: string): Promise<ResultMetadata | null> {
  try {
    const { Metadata: metadata = {} } = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
    return decodeMetadata(metadata);
  } catch (error) {
    if (awsErrorName(error) === 'NotFound') return null;
    throw error;
  }
}

function notFound(key: string, cause?: unknown): PrewarmError {
  return new PrewarmError('not_found', `${key}: there is no such object`, { cause });
}

interface Wanted {
  readonly bucket: string;
  readonly key: string;
  readonly start: number;
  /** Exclusive; Infinity: to the object's end. */
  readonly end: number;
  /** The object must still be this one. */
  readonly etag: string | undefined;
}

/** Null: the object ends before the range begins. */
async function getObject(client: S3Client, { bucket, key, start, end, etag }: Wanted): Promise<GetObjectCommandOutput | null> {
  const last = Number.isFinite(end) ? end - 1 : '';
  const range = start === 0 && last === '' ? {} : { Range: `bytes=${start}-${last}` };
  try {
    return await client.send(
      new GetObjectCommand({ Bucket: bucket, Key: key, ...range, ...(etag === undefined ? {} : { IfMatch: etag }) }),
    );
  } catch (error) {
    const name = awsErrorName(error);
    if (name === 'InvalidRange') return null;
    if (name === 'NoSuchKey' || name === 'NotFound') throw notFound(key, error);
    if (name === 'PreconditionFailed') throw new PrewarmError('storage', `${key} was replaced while it was being read`, { cause: error });
    throw error;
  }
}

/** A slow reader's connection may be closed on it: it goes on from the byte it has reached, in the same version of the object. */
async function* readBytes(client: S3Client, bucket: string, key: string, range: ByteRange): AsyncGenerator<Uint8Array> {
  const { start, end = Number.POSITIVE_INFINITY } = range;
  if (end <= start) {
    if ((await attempt(`reading ${key}`, () => headMetadata(client, bucket, key), READ)) === null) throw notFound(key);
    return;
  }
  let at = start;
  let etag: string | undefined;
  for (let tried = 1; ; tried++) {
    const wanted = { bucket, key, start: at, end, etag };
    const answer = await attempt(`reading ${key}`, () => getObject(client, wanted), READ);
    if (answer === null) return;
    etag = answer.ETag;
    try {
      for await (const chunk of answer.Body as Readable as AsyncIterable<Uint8Array>) {
        at += chunk.length;
        tried = 0;
        yield chunk;
      }
      return;
    } catch (cause) {
      if (at >= end) return;
      if (tried >= READ_TRIES) throw translateAwsError(`reading ${key}`, cause, READ);
    }
    await sleep(systemClock, jitteredPause(Math.max(1, tried)));
  }
}

/** Results are a task's rows, some 100 KB: read as a whole. No text in UTF-8 begins like gzip does. */
async function* readResult(client: S3Client, bucket: string, key: string): AsyncGenerator<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of readBytes(client, bucket, key, { start: 0 })) parts.push(chunk);
  const body = Buffer.concat(parts);
  if (body.length > 0) yield body[0] === 0x1f && body[1] === 0x8b ? await gunzipBytes(body) : body;
}

/**
 * Metadata travel as header values: ASCII without control characters, and blanks at the ends or in a row do not survive.
 * Whatever is different is percent-encoded; the figures of tasks need none of it, so that they fit into S3's 2 KB.
 */
const UNSAFE = /[^\x20-\x7e]|%|^ +| +$| {2,}/gu;

export function encodeMetadata(metadata: ResultMetadata): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, value.replace(UNSAFE, encodeURIComponent)]));
}

export function decodeMetadata(metadata: Readonly<Record<string, string>>): ResultMetadata {
  return Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, decodeURIComponent(value)]));
}
