import { CloudFrontClient, CreateDistributionCommand } from '@aws-sdk/client-cloudfront';
import { beforeEach, expect, test, vi } from 'vitest';
import { createAccountDistributions } from '../../../adapters/aws/account-distributions.ts';
import { createCloudFrontInvalidations } from '../../../adapters/aws/cloudfront-invalidations.ts';
import { systemClock } from '../../../core/clock.ts';
import { describeInvalidations } from '../contracts/invalidations.contract.ts';
import { describeWithAccount } from '../../../testing/aws-account/with-account.ts';

describeWithAccount('CloudFront', (account) => {
  let made = 0;

  beforeEach(() => {
    for (const [name, value] of Object.entries(account().env)) vi.stubEnv(name, value);
    return () => vi.unstubAllEnvs();
  });

  async function createDistribution(alias: string): Promise<string> {
    const client = new CloudFrontClient(account().client);
    made += 1;
    const behaviour = {
      TargetOriginId: 'o',
      ViewerProtocolPolicy: 'allow-all' as const,
      CachePolicyId: '658327ea-f89d-4fab-a63d-7e88639e58f6',
    };
    const origin = {
      Id: 'o',
      DomainName: 'origin.example.com',
      CustomOriginConfig: { HTTPPort: 80, HTTPSPort: 443, OriginProtocolPolicy: 'https-only' as const },
    };
    const config = {
      CallerReference: `d${made}`,
      Comment: '',
      Enabled: true,
      Aliases: { Quantity: 1, Items: [alias] },
      Origins: { Quantity: 1, Items: [origin] },
      DefaultCacheBehavior: behaviour,
    };
    const { Distribution: distribution } = await client.send(new CreateDistributionCommand({ DistributionConfig: config }));
    client.destroy();
    return distribution?.DomainName ?? '';
  }

  describeInvalidations('CloudFront', async () => {
    const domain = await createDistribution(`alias-${made}.example.com`);
    return { invalidations: createCloudFrontInvalidations(), domain };
  });

  test('a distribution is found by its alias, for its name and for invalidations', async () => {
    const domain = await createDistribution('shop.example.org');
    const client = new CloudFrontClient(account().client);
    const found = await createAccountDistributions(client, systemClock).findDistribution('shop.example.org');
    expect(found).toBe(domain.toLowerCase());
    expect(await createCloudFrontInvalidations().create('shop.example.org', 'r1-0', ['/a'])).toEqual({ id: expect.stringMatching(/./) });
    client.destroy();
  });
});
