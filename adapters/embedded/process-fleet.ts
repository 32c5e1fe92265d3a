import { type ChildProcess, spawn } from 'node:child_process';
import { PrewarmError } from '../../core/errors.ts';
import type { ErrorCode } from '../../core/failures.ts';
import type { Fleet, FleetMember } from '../../core/ports/fleet.ts';
import { AGENT_NODE_FLAGS } from '../../deployment/agent-node-flags.ts';

/** glibc keeps an arena per thread, and what one has freed helps no other: 143 MB against 170 at 128 in flight (measured). */
const AGENT_MALLOC = { MALLOC_ARENA_MAX: '1' };
/** An agent that ends sooner than this after its start never worked. */
const EARLY_DEATH_MS = 2000;
const MAX_EARLY_DEATHS = 5;
const FIRST_PAUSE_MS = 100;
const KILL_AFTER_MS = 10_000;
const STDERR_KEPT = 4096;

export interface ProcessFleetOptions {
  /** Path of the agent's main file. It has to end by itself when its IPC channel disconnects, and to ignore SIGINT and SIGHUP. */
  readonly entry: string;
  readonly execArgv?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly maximum: number;
  /** Processes kept up whatever the capacity, so that the first request finds one; not counted as capacity. */
  readonly keepReady?: number;
  /** Where the agents' standard output and error go; default: this process's standard error. */
  readonly onOutput?: (text: string) => void;
  /** After an agent's end, of whatever kind; frees its leases. */
  readonly onExit: (pid: number, code: number | null, signal: NodeJS.Signals | null) => void | Promise<void>;
  /** No agent will be started again; called once. `agents_failed`, what an agent reported, or what `onExit` threw. */
  readonly onFatal: (error: unknown) => void;
  /** From SIGTERM to SIGKILL. */
  readonly killAfterMs?: number;
}

export interface ProcessFleet extends Fleet {
  /** Agents alive, those asked to end included. */
  pids(): readonly number[];
  /** Ends every agent (SIGTERM, later SIGKILL) and waits for it. */
  close(): Promise<void>;
}

/** What an agent may send over IPC when it cannot go on: `code` as in PrewarmError. */
interface FatalMessage {
  readonly type: 'fatal';
  readonly code: ErrorCode;
  readonly message: string;
}

interface Agent {
  readonly child: ChildProcess;
  readonly startedAt: number;
  /** Asked to end. */
  leaving: boolean;
  lastWords: string;
  timer: NodeJS.Timeout | undefined;
}

/** The agents there are. `onLoss` hears how long to pause after the end of one that was not asked to end. */
function createCrew(options: ProcessFleetOptions, onLoss: (pauseMs: number) => void, onFatal: (error: unknown) => void) {
  const agents = new Set<Agent>();
  const reports = new Set<Promise<void>>();
  const earlyDeaths = createEarlyDeaths();

  async function reportExit(agent: Agent, code: number | null, signal: NodeJS.Signals | null): Promise<void> {
    clearTimeout(agent.timer);
    try {
      if (agent.child.pid !== undefined) await options.onExit(agent.child.pid, code, signal);
      if (!agent.leaving) onLoss(earlyDeaths.add(agent, code, signal));
    } catch (error) {
      onFatal(error);
    }
  }

  return {
    agents,
    add: () => {
      const agent = startAgent(options, onFatal, (code, signal) => {
        agents.delete(agent);
        const report = reportExit(agent, code, signal);
        reports.add(report);
        void report.then(() => reports.delete(report));
      });
      agent.timer = setTimeout(earlyDeaths.reset, EARLY_DEATH_MS).unref();
      agents.add(agent);
    },
    end: async (killAfterMs: number) => {
      await Promise.all([...agents].map((agent) => end(agent, killAfterMs)));
      await Promise.all(reports);
    },
    /** A process that does not wait for its agents leaves none behind, not even one that hangs. */
    killAll: () => {
      for (const { child } of agents) child.kill('SIGKILL');
    },
  };
}

/**
 * A fleet whose capacity is child processes on this machine. None outlives this process, however that ends short of a SIGKILL. One that
 * ends while it is wanted is replaced, after a growing pause when it ended early; five early ends in a row are fatal.
 */
export function createProcessFleet(options: ProcessFleetOptions): ProcessFleet {
  const { maximum, keepReady = 0, killAfterMs = KILL_AFTER_MS } = options;
  let capacity = 0;
  let stopped = false;
  let pause: NodeJS.Timeout | undefined;

  const stop = () => {
    stopped = true;
    clearTimeout(pause);
  };
  const fail = (error: unknown) => {
    if (stopped) return;
    stop();
    options.onFatal(error);
  };
  const pauseBeforeNext = (ms: number) => {
    if (stopped) return;
    clearTimeout(pause);
    pause = setTimeout(() => {
      pause = undefined;
      reconcile();
    }, ms);
  };
  const { agents, add, end: endAll, killAll } = createCrew(options, pauseBeforeNext, fail);
  const reconcile = () => {
    const staying = [...agents].filter((agent) => !agent.leaving);
    const wanted = Math.max(capacity, keepReady);
    for (const agent of staying.slice(wanted).toReversed()) retire(agent, killAfterMs);
    if (stopped || pause !== undefined) return;
    for (let started = staying.length; started < wanted; started++) add();
  };

  process.once('exit', killAll);
  reconcile();
  return {
    maximum,
    getCapacity: async () => capacity,
    setCapacity: async (wanted) => {
      capacity = Math.max(0, Math.min(maximum, wanted));
      reconcile();
    },
    inspect: async () => ({ capacity, onDemand: 0, lastFailedActivity: null, members: [...agents].flatMap(memberOf) }),
    pids: () => [...agents].flatMap((agent) => agent.child.pid ?? []),
    close: async () => {
      stop();
      await endAll(killAfterMs);
      process.off('exit', killAll);
    },
  };
}

/** Nothing, where the process could not be started. */
function memberOf({ child, startedAt, leaving }: Agent): FleetMember[] {
  if (child.pid === undefined) return [];
  const since = Math.round(performance.timeOrigin + startedAt);
  return [{ id: String(child.pid), instanceId: null, state: leaving ? 'leaving' : 'running', type: null, zone: null, since }];
}

/** Deaths soon after the start, in a row: over as soon as one agent lives longer. */
function createEarlyDeaths() {
  let inARow = 0;
  return {
    reset: () => {
      inARow = 0;
    },
    /** The pause before the next start, milliseconds. Throws PrewarmError `agents_failed` at the fifth early death. */
    add: (agent: Agent, code: number | null, signal: NodeJS.Signals | null) => {
      if (performance.now() - agent.startedAt >= EARLY_DEATH_MS) return 0;
      inARow += 1;
      if (inARow >= MAX_EARLY_DEATHS) throw agentsFailed(agent, code, signal);
      return FIRST_PAUSE_MS * 2 ** (inARow - 1);
    },
  };
}

function end(agent: Agent, killAfterMs: number): Promise<void> {
  return new Promise((resolve) => {
    agent.child.once('close', () => resolve());
    if (!agent.leaving) retire(agent, killAfterMs);
  });
}

function retire(agent: Agent, killAfterMs: number): void {
  agent.leaving = true;
  clearTimeout(agent.timer);
  agent.child.kill('SIGTERM');
  agent.timer = setTimeout(() => agent.child.kill('SIGKILL'), killAfterMs);
}

function startAgent(
  options: ProcessFleetOptions,
  onFatal: (error: PrewarmError) => void,
  onEnd: (code: number | null, signal: NodeJS.Signals | null) => void,
): Agent {
  const { entry, execArgv = AGENT_NODE_FLAGS, env = process.env, onOutput = (text) => process.stderr.write(text) } = options;
  const child = spawn(process.execPath, [...execArgv, entry], {
    env: { ...AGENT_MALLOC, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const agent: Agent = { child, startedAt: performance.now(), leaving: false, lastWords: '', timer: undefined };
  for (const output of [child.stdout, child.stderr]) {
    output?.setEncoding('utf8');
    output?.on('data', (text: string) => {
      agent.lastWords = (agent.lastWords + text).slice(-STDERR_KEPT);
      onOutput(text);
    });
  }
  child.on('message', (message) => {
    if (isFatal(message)) onFatal(new PrewarmError(message.code, message.message));
  });
  // Could not be started, or not be signalled: 'close' follows in either case.
  child.on('error', (error) => {
    agent.lastWords += `\n${error.message}\n`;
  });
  child.once('close', onEnd);
  return agent;
}

function isFatal(message: unknown): message is FatalMessage {
  if (typeof message !== 'object' || message === null) return false;
  const { type, code, message: text } = message as Record<string, unknown>;
  return type === 'fatal' && typeof code === 'string' && typeof text === 'string';
}

function agentsFailed(agent: Agent, code: number | null, signal: NodeJS.Signals | null): PrewarmError {
  const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
  return new PrewarmError(
    'agents_failed',
    `the agents end as soon as they start (${MAX_EARLY_DEATHS} times in a row, last with ${how}): ${lastTellingLine(agent.lastWords)}`,
  );
}

/** Node's own report of an uncaught error ends with stack lines and its version, which tell nothing. */
function lastTellingLine(text: string): string {
  const lines = text.split('\n').filter((line) => /^[^\s}]/.test(line) && !line.startsWith('Node.js v'));
  return lines.at(-1) ?? 'it said nothing';
}
