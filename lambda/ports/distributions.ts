import { CloudFrontClient } from '@aws-sdk/client-cloudfront';
import { createAccountDistributions } from '../../adapters/aws/account-distributions.ts';
import { systemClock } from '../../core/clock.ts';
import type { PopResolver } from '../../core/ports/pop-resolver.ts';

export function openDistributions(): Pick<PopResolver, 'findDistribution'> {
  // CloudFront has one endpoint, whatever region the stack is in.
  return createAccountDistributions(new CloudFrontClient({ region: 'us-east-1' }), systemClock);
}
