import { CloudFrontClient, CreateInvalidationCommand, GetInvalidationCommand } from '@aws-sdk/client-cloudfront';
import { PrewarmError } from '../../core/errors.ts';
import type { CreatedInvalidation, Invalidations } from '../../core/ports/invalidations.ts';
import { isNamed, listDistributions } from './account-distributions.ts';
import { type AwsCall, awsErrorName, isCredentialsError, isPassing, translateAwsError } from './aws-error.ts';

/** A batch as a whole is refused for one path, and not even by its name. */
const REFUSED: ReadonlySet<string> = new Set(['InvalidArgument', 'BatchTooLarge']);
const CALL: AwsCall = {
  code: 'invalidation',
  permissions: 'cloudfront:ListDistributions, cloudfront:CreateInvalidation and cloudfront:GetInvalidation',
  remedies: {
    TooManyInvalidationsInProgress: 'too many paths are being invalidated already (3,000 per distribution); try again in a few minutes',
  },
  otherwise: 'try again, or run without --invalidate',
};

async function findDistributionId(client: CloudFrontClient, domain: string): Promise<string> {
  for await (const distribution of listDistributions(client)) if (isNamed(distribution, domain)) return distribution.id;
  throw new PrewarmError(
    'invalidation',
    `${domain} is no distribution of this AWS account; use the credentials of the account that owns it, or run without --invalidate`,
  );
}

/** Runs `action`; what it throws is translated, by whether it passes. */
async function ask<T>(doing: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    const passes = awsErrorName(cause) === 'TooManyInvalidationsInProgress' || isPassing(cause);
    throw translateAwsError(doing, cause, passes ? { ...CALL, code: 'invalidation_busy' } : CALL);
  }
}

async function createOrRefuse(client: CloudFrontClient, command: CreateInvalidationCommand): Promise<CreatedInvalidation> {
  try {
    const { Invalidation: invalidation } = await client.send(command);
    if (invalidation?.Id === undefined) throw new Error('CloudFront answered without the id of the invalidation');
    return { id: invalidation.Id };
  } catch (cause) {
    if (cause instanceof Error && REFUSED.has(awsErrorName(cause))) return { refused: `${cause.name}: ${cause.message}` };
    throw cause;
  }
}

/** Whether this machine has AWS credentials at all, working or not: from its environment, profiles or role. */
export async function hasAwsCredentials(): Promise<boolean> {
  const client = new CloudFrontClient({ region: 'us-east-1' });
  try {
    await client.config.credentials();
    return true;
  } catch (error) {
    if (isCredentialsError(error)) return false;
    throw translateAwsError('looking for AWS credentials', error, CALL);
  } finally {
    client.destroy();
  }
}

/** Invalidates at CloudFront with this machine's AWS credentials. A distribution is found by its own name or an alias; ids are kept. */
export function createCloudFrontInvalidations(): Invalidations {
  const clients = new Map<string, CloudFrontClient>();
  const ids = new Map<string, string>();

  /** CloudFront has one endpoint per partition; whatever region the machine is set to, requests are signed for that one. */
  const clientFor = (domain: string) => {
    const region = domain.endsWith('.cloudfront.cn') ? 'cn-northwest-1' : 'us-east-1';
    const client = clients.get(region) ?? new CloudFrontClient({ region });
    clients.set(region, client);
    return client;
  };
  const locate = async (domain: string | null) => {
    if (domain === null) throw new PrewarmError('invalidation', 'CloudFront is invalidated by distribution; pass its domain with --domain');
    const name = domain.toLowerCase();
    const client = clientFor(name);
    const known = ids.get(name);
    const id = known ?? (await ask('finding the distribution', () => findDistributionId(client, name)));
    ids.set(name, id);
    return { client, id };
  };

  return {
    async create(domain, callerReference, paths) {
      const { client, id } = await locate(domain);
      const batch = { CallerReference: callerReference, Paths: { Quantity: paths.length, Items: [...paths] } };
      const command = new CreateInvalidationCommand({ DistributionId: id, InvalidationBatch: batch });
      return ask('creating the invalidation', () => createOrRefuse(client, command));
    },
    async isComplete(domain, invalidationId) {
      const { client, id } = await locate(domain);
      const command = new GetInvalidationCommand({ DistributionId: id, Id: invalidationId });
      const { Invalidation: invalidation } = await ask('reading the invalidation', () => client.send(command));
      return invalidation?.Status === 'Completed';
    },
  };
}
