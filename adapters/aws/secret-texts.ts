import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { attempt } from './aws-error.ts';

/** Texts of secrets by ARN or name. Throws PrewarmError `not_found`, never with a part of the secret. */
export function createSecretTexts(client: SecretsManagerClient): (id: string) => Promise<string> {
  return (id) =>
    attempt(
      `reading the secret ${id}`,
      async () => {
        const { SecretString: text } = await client.send(new GetSecretValueCommand({ SecretId: id }));
        if (text === undefined) throw new Error('it holds bytes instead of a text');
        return text;
      },
      {
        code: 'not_found',
        permissions: 'secretsmanager:GetSecretValue',
        remedies: { ResourceNotFoundException: 'make the secret in this account and region, or leave the parameter empty' },
      },
    );
}
