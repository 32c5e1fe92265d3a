import { randomUUID } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { createDynamoCalls } from '../../adapters/aws/dynamo-calls.ts';
import { createDynamoMinuteClaims } from '../../adapters/aws/dynamo-minute-claims.ts';
import { createS3Texts, createSecretTexts } from '../../adapters/aws/s3-texts.ts';
import { createUndiciDownloader } from '../../adapters/http/undici-downloader.ts';
import { systemClock } from '../../core/clock.ts';
import { createKeepWarmSender } from '../../core/keep-warm/keep-warm-sender.ts';
import { popCatalogue } from '../../data/catalogue.ts';
import { loadFunctionConfig } from '../function-config.ts';
import { createInstruments, instrument } from '../instrument.ts';
import { createKeepWarmHandler, createKeepWarmMetrics } from './keep-warm-handler.ts';
import { createEdgeResolver } from '../edge-resolver.ts';
import { createRouteMemory, requireRoutes } from '../keep-warm-routes.ts';

const config = loadFunctionConfig(process.env, ['edge', 'keepWarm', 'keepWarmTable']);
const instruments = createInstruments('keep-warm', config);
const { edge, envName, keepWarm, keepWarmTable: table } = config;
const catalogue = popCatalogue();
const sources = { readSecret: createSecretTexts(new SecretsManagerClient()), readObject: createS3Texts(new S3Client()), catalogue };

export const handler = instrument(
  instruments,
  createKeepWarmHandler({
    log: instruments.log,
    clock: systemClock,
    claims: createDynamoMinuteClaims({
      calls: createDynamoCalls({ client: new DynamoDBClient(), clock: systemClock }),
      table,
      clock: systemClock,
      newId: randomUUID,
    }),
    claimKey: `keep-warm ${envName}`,
    loadRoutes: createRouteMemory({ read: () => requireRoutes(keepWarm, sources), clock: systemClock, log: instruments.log }),
    publish: createKeepWarmMetrics(config),
    sender: createKeepWarmSender({
      resolver: createEdgeResolver(edge),
      downloader: createUndiciDownloader({ allowPrivateAddresses: edge.allowPrivateAddresses, ca: edge.ca }),
      clock: systemClock,
      sameCity: (a, b) => catalogue.sameCity(a, b),
    }),
  }),
);
