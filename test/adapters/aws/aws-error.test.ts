import { S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import { expect, test } from 'vitest';
import { attempt, translateAwsError } from '../../../adapters/aws/aws-error.ts';
import { createS3ListStore } from '../../../adapters/aws/s3-list-store.ts';
import { PrewarmError } from '../../../core/errors.ts';

const sdkError = (name: string, message = 'because', httpStatusCode = 400) =>
  new S3ServiceException({ name, message, $fault: 'client', $metadata: { httpStatusCode } });

test.each([
  ['ExpiredTokenException', 'denied', 'because', 'AWS_ACCESS_KEY_ID'],
  ['CredentialsProviderError', 'denied', 'because', 'AWS_PROFILE'],
  [
    'AccessDeniedException',
    'denied',
    'User: arn:x is not authorized to perform: sqs:SendMessage on resource: y',
    'allow sqs:SendMessage to',
  ],
  ['AccessDenied', 'denied', 'Access Denied', 'allow s3:PutObject to'],
  ['SlowDown', 'throttled', 'because', 'try again in a minute'],
  ['ThrottlingException', 'throttled', 'because', 'try again in a minute'],
  ['NoSuchBucket', 'storage', 'because', 'deploy the stack'],
  ['QueueDoesNotExist', 'storage', 'because', 'deploy the stack'],
  ['InternalError', 'unavailable', 'because', 'try again', 500],
])('%s has the code %s and a remedy', (name, code, message, remedy, status = 400) => {
  const cause = sdkError(name, message, status);
  const error = translateAwsError('writing the list', cause, { permissions: 's3:PutObject' });
  expect(error).toMatchObject({ name: 'PrewarmError', code, cause });
  expect(error.message.startsWith(`writing the list: ${name}: ${message}; `)).toBe(true);
  expect(error.message).toContain(remedy);
});

test('the project’s own error stays as it is', async () => {
  const own = new PrewarmError('not_found', 'there is no such object');
  await expect(attempt('reading', () => Promise.reject(own))).rejects.toBe(own);
});

test('an endpoint that nobody listens at is an error that says what to check', async () => {
  const client = new S3Client({
    endpoint: 'http://127.0.0.1:1',
    region: 'eu-west-1',
    maxAttempts: 1,
    credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'example' },
  });
  const lists = createS3ListStore(client, { bucket: 'lists' });
  await expect(lists.resultMetadata('requests/r1/results/x.csv')).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/ECONNREFUSED.*check the network/s),
  });
  client.destroy();
});
