export function createAgentUserData(p: {
  region: string;
  bundleBucket: string;
  bundleKey: string;
  logGroupName: string;
  environment: Readonly<Record<string, string>>;
}): string {
  return `#!/bin/bash\n# ${JSON.stringify(p)}\n`;
}
