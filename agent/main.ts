import { runAwsAgent } from './run-aws-agent.ts';

await runAwsAgent();
