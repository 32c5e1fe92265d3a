import { type EdgeAddress, formatAddress, splitAddresses } from '../pops/address.ts';
import { CancellableScope } from '../ask-scope.ts';
import type { Clock } from '../clock.ts';
import type { Counters } from './counters.ts';
import type { Downloader } from '../ports/downloader.ts';
import type { RequestSpec } from '../request/request.ts';
import { formatResultRow } from '../report/result-row.ts';
import { createServedByReader, type SameCity } from '../pops/served-by.ts';
import type { SizedRow } from './sized-list.ts';
import type { TaskMessage } from './task.ts';
import { unanswered } from './unanswered.ts';
import type { Lane, Lanes, TargetSource } from './lanes.ts';
import type { SeparateCaches } from './separate-caches.ts';
import { Target } from './target.ts';
import { needsEveryAddress, type WarmContext, warmTarget } from './warm-target.ts';

const CANCELLED = unanswered('cancelled');

export interface TaskRunPorts {
  readonly downloader: Downloader;
  readonly clock: Clock;
  readonly random: () => number;
  readonly lanes: Lanes;
  readonly sameCity: SameCity;
}

/** What came of a task, ready to be recorded. */
export interface TaskResult {
  readonly rows: string;
  readonly counters: Counters;
}

export interface TaskRun {
  readonly scope: CancellableScope;
  /** Targets that have their outcome. */
  readonly finished: number;
  /** Bytes of the objects of those that are warm, each counted once however often it was read. */
  readonly objectBytes: number;
  /** No target has begun yet. */
  readonly isWaiting: boolean;
  /** For how long the POP still asks this agent to begin nothing, milliseconds; 0: it does not. */
  readonly heldMs: number;
  /** Works every target; null when the scope was cancelled first. Rejects only on a fault of the program itself. */
  run(): Promise<TaskResult | null>;
}

const isHttps = (url: string) => url.startsWith('https:');

function rowOf(pop: string, target: Target, addresses: readonly EdgeAddress[]): string {
  const https = isHttps(target.url);
  const { last, lastAddress } = target;
  return formatResultRow({
    url: target.url,
    pop,
    variant: target.variant.name,
    outcome: target.outcome ?? 'failed',
    reason: target.reason,
    status: last?.status ?? 0,
    xCacheFirst: target.xCacheFirst,
    xCacheLast: target.xCacheLast,
    servedBy: last?.servedBy ?? '',
    address: lastAddress === null ? '' : formatAddress(lastAddress.ip, https ? lastAddress.port : lastAddress.httpPort),
    bytes: target.bytes,
    attempts: target.attempts,
    ttfbMs: last?.ttfbMs ?? -1,
    totalMs: last?.totalMs ?? -1,
    finishedAt: target.finishedAt,
    notes: target.notes(addresses, https),
  });
}

/** One pass over some of a task's targets; ends when each has been worked. */
function createPass(
  targets: readonly Target[],
  start: (target: Target, index: number) => Promise<void>,
): TargetSource & { readonly ended: Promise<void>; readonly begun: () => number; cancel(): void } {
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
  let next = 0;
  let running = 0;
  let cancelled = false;
  const settle = () => {
    running--;
    if (running === 0 && (cancelled || next === targets.length)) resolve();
  };
  if (targets.length === 0) resolve();
  return {
    ended,
    begun: () => next,
    startNext() {
      const target = targets[next];
      if (cancelled || target === undefined) return false;
      running++;
      start(target, next++).then(settle, reject);
      return true;
    },
    cancel() {
      cancelled = true;
      if (running === 0) resolve();
    },
  };
}

export function createTaskRun(
  ports: TaskRunPorts,
  task: TaskMessage,
  spec: RequestSpec,
  rows: readonly SizedRow[],
  separate: SeparateCaches,
): TaskRun {
  const { lanes, clock } = ports;
  const lane: Lane = lanes.laneOf(task.requestId, task.pop);
  const scope = new CancellableScope();
  const targets: Target[] = [];
  for (const row of rows) for (const variant of spec.variants) targets.push(new Target(row.url, variant, row.bytes < 0));
  let finished = 0;
  let objectBytes = 0;
  let begun = false;

  const { first, lastResort } = splitAddresses(task.addresses);
  const firstByteMs = spec.firstByteTimeoutSeconds === undefined ? undefined : spec.firstByteTimeoutSeconds * 1000;

  const context: WarmContext = {
    servedBy: createServedByReader(task.pop, ports.sameCity),
    acceptStatus: spec.acceptStatus,
    addresses: first,
    lastResort,
    separate,
    scope,
    clock,
    random: ports.random,
    async ask(target, address, byteAt) {
      if (target.holdsSlot) target.holdsSlot = false;
      else if (!(await lanes.takeSlot(lane, scope))) return CANCELLED;
      if (scope.cancelled) {
        lanes.release(lane, null);
        return CANCELLED;
      }
      const answer = await ports.downloader.ask({
        method: 'GET',
        url: target.url,
        address,
        headers: target.variant.headers,
        scope,
        ...(byteAt === undefined ? {} : { byteAt }),
        ...(firstByteMs === undefined ? {} : { firstByteMs }),
      });
      lanes.release(lane, answer);
      return answer;
    },
  };

  async function work(target: Target, ordinal: number): Promise<void> {
    begun = true;
    target.holdsSlot = true;
    const isFirstPass = target.outcome === null;
    await warmTarget(context, target, ordinal);
    if (target.holdsSlot) {
      target.holdsSlot = false;
      lanes.release(lane, null);
    }
    if (!isFirstPass || target.outcome === null) return;
    finished++;
    if (target.outcome !== 'failed') objectBytes += Math.max(0, target.bytes);
  }

  async function workAll(some: readonly Target[]): Promise<void> {
    const pass = createPass(some, (target, index) => work(target, task.slice.start + index));
    const withdraw = scope.onCancel(() => {
      lanes.remove(lane, pass);
      lanes.withdraw(lane, scope);
      pass.cancel();
    });
    lanes.add(lane, pass);
    await pass.ended;
    withdraw();
  }

  function summarise(): TaskResult {
    const counters: Record<string, number> = { edge_bytes: scope.bytes };
    if (separate.isFound) counters['separate'] = 1;
    let text = '';
    for (const target of targets) {
      target.countInto(counters);
      text += rowOf(task.pop, target, target.isAtLastResort ? lastResort : first);
    }
    return { rows: text, counters: counters as Counters };
  }

  return {
    scope,
    get finished() {
      return finished;
    },
    get objectBytes() {
      return objectBytes;
    },
    get isWaiting() {
      return !begun;
    },
    get heldMs() {
      return lanes.heldMs(lane);
    },
    async run() {
      for (let some: readonly Target[] = targets; some.length > 0; some = targets.filter((target) => needsEveryAddress(separate, target))) {
        await workAll(some);
        if (scope.cancelled) return null;
      }
      return summarise();
    },
  };
}
