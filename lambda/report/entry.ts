import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { SNSClient } from '@aws-sdk/client-sns';
import { createDynamoRequestStore } from '../../adapters/aws/dynamo-request-store.ts';
import { createS3Links } from '../../adapters/aws/s3-links.ts';
import { createS3ListStore } from '../../adapters/aws/s3-list-store.ts';
import { createS3ViewerHeaders } from '../../adapters/aws/s3-viewer-headers.ts';
import { createSnsTopic } from '../../adapters/aws/sns-topic.ts';
import { systemClock } from '../../core/clock.ts';
import { createNotifier } from '../../adapters/http/notifier.ts';
import { reportRequest } from '../../core/report/report-request.ts';
import { loadFunctionConfig } from '../function-config.ts';
import { createInstruments, instrument } from '../instrument.ts';

import { createReportHandler } from './report-handler.ts';

const config = loadFunctionConfig(process.env, ['tables', 'bucket', 'topicArn', 'edge']);
const instruments = createInstruments('report', config);
const { bucket, tables, topicArn } = config;
const database = { client: new DynamoDBClient(), tables, clock: systemClock };
const objects = new S3Client();
const store = createDynamoRequestStore(database);
const lists = createS3ListStore(objects, { bucket });
const { ca, allowPrivateAddresses } = config.edge;

export const handler = instrument(
  instruments,
  createReportHandler({
    ...instruments,
    store,
    lists,
    viewerHeaders: createS3ViewerHeaders({ client: objects, bucket }, database),
    pipeline: { report: (id, only) => reportRequest({ store, lists }, id, only) },
    links: createS3Links(objects, { bucket }),
    topic: createSnsTopic(new SNSClient(), { topicArn }),
    notifier: createNotifier({ allowPrivateAddresses, ca }),
  }),
);
