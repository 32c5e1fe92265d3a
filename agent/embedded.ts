import { runEmbeddedAgent } from './run-embedded-agent.ts';

await runEmbeddedAgent();
