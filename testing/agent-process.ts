import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { AGENT_NODE_FLAGS } from '../deployment/agent-node-flags.ts';
import { until } from './until.ts';

interface LogLine {
  readonly level: string;
  readonly event: string;
  readonly [field: string]: unknown;
}

/** The bundled agent as a process of its own. */
export interface AgentProcess {
  /** What it logged so far. Throws when a line is no JSON. */
  lines(): readonly LogLine[];
  /** Resolves when it has logged the event. */
  logged(event: string): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  /** Exit code (null: killed by a signal) and how long it took from now, milliseconds. */
  ended(): Promise<{ readonly code: number | null; readonly ms: number }>;
}

const parseLines = (text: string) =>
  text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as LogLine);

/** V8's flags are those of the unit. */
export function startAgentProcess(bundle: string, env: NodeJS.ProcessEnv): AgentProcess {
  const child: ChildProcess = spawn(process.execPath, [...AGENT_NODE_FLAGS, bundle], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let strayOutput = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    strayOutput += text;
  });
  const closed = once(child, 'close') as Promise<[number | null]>;
  const isGone = () => child.exitCode !== null || child.signalCode !== null;
  const has = (event: string) => parseLines(output).some((line) => line.event === event);
  return {
    lines: () => parseLines(output),
    logged: (event) =>
      until(`the agent logs ${event}`, () => {
        if (isGone() && !has(event)) throw new Error(`the agent ended before it logged ${event}:\n${output}${strayOutput}`);
        return has(event);
      }),
    kill: (signal) => void child.kill(signal),
    async ended() {
      const from = performance.now();
      const [code] = await closed;
      return { code, ms: performance.now() - from };
    },
  };
}
