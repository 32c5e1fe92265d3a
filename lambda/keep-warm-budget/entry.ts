import { S3Client } from '@aws-sdk/client-s3';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { createS3Texts, createSecretTexts } from '../../adapters/aws/s3-texts.ts';
import { popCatalogue } from '../../data/catalogue.ts';
import { createCustomResource } from '../custom-resource.ts';
import { createFunctionLog } from '../instrument.ts';
import { createBudgetCheck } from './budget-check.ts';

const sources = {
  readSecret: createSecretTexts(new SecretsManagerClient()),
  readObject: createS3Texts(new S3Client()),
  catalogue: popCatalogue(),
};

export const handler = createCustomResource(createFunctionLog('keep-warm-budget'), {
  work: createBudgetCheck(sources),
  // It holds nothing.
  remove: async () => undefined,
});
