import { CloudFrontClient } from '@aws-sdk/client-cloudfront';
import { cloudFrontRegion } from '../../adapters/aws/cloudfront-region.ts';
import { createAccountDistributions } from '../../adapters/aws/account-distributions.ts';
import { systemClock } from '../../core/clock.ts';
import type { PopResolver } from '../../core/ports/pop-resolver.ts';

export function openDistributions(): Pick<PopResolver, 'findDistribution'> {
  return createAccountDistributions(new CloudFrontClient({ region: cloudFrontRegion(process.env['AWS_REGION'] ?? '') }), systemClock);
}
