import { fileURLToPath } from 'node:url';
import { AssetHashType, BundlingOutput, DockerImage } from 'aws-cdk-lib';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import type { Construct } from 'constructs';
import { buildAgentBundle } from '../../packaging/agent-bundle.ts';

const AGENT = fileURLToPath(new URL('../../agent', import.meta.url));

/** The agent as one file beside the stack's other assets in S3, from where new instances fetch it. */
export function createAgentBundleAsset(scope: Construct, id: string): Asset {
  return new Asset(scope, id, {
    path: AGENT,
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      // Never started.
      image: DockerImage.fromRegistry('unused'),
      outputType: BundlingOutput.SINGLE_FILE,
      local: {
        tryBundle(outdir) {
          buildAgentBundle(outdir);
          return true;
        },
      },
    },
  });
}
