import { CancellableScope } from '../../../core/ask-scope.ts';
import type { EdgeAddress } from '../../../core/pops/address.ts';
import type { Clock } from '../../../core/clock.ts';
import type { Answer, Ask } from '../../../core/ports/downloader.ts';
import { createServedByReader } from '../../../core/pops/served-by.ts';
import { SeparateCaches } from '../../../core/work/separate-caches.ts';
import { Target } from '../../../core/work/target.ts';
import { warmTarget, type WarmContext } from '../../../core/work/warm-target.ts';
import { popCatalogue } from '../../../data/catalogue.ts';
import { createModelPop, modelAddresses, type ModelObject, type ModelPop } from '../../../testing/model-pop.ts';

export const URL_1 = 'https://d111111abcdef8.cloudfront.net/a';
export const SMALL = 1000;
export const LARGE = 1_000_000;

/** Time passes only when somebody waits. */
function skippingClock(): Clock {
  let now = 0;
  return {
    now: () => now,
    after(ms, fn) {
      let wanted = true;
      queueMicrotask(() => {
        now += ms;
        if (wanted) fn();
      });
      return () => {
        wanted = false;
      };
    },
  };
}

interface Setup {
  readonly addresses?: number;
  readonly separate?: boolean;
  readonly object?: ModelObject;
  readonly fault?: (ask: Ask, index: number) => Partial<Answer> | null;
  readonly acceptStatus?: readonly number[];
  /** The first targets of a request and POP are probes; off: as after those. */
  readonly probes?: boolean;
}

export function setUp(setup: Setup): { context: WarmContext; pop: ModelPop; warm: (url?: string, ordinal?: number) => Promise<Target> } {
  const addresses = modelAddresses(setup.addresses ?? 1);
  const object = setup.object ?? { bytes: SMALL };
  const pop = createModelPop({
    pop: 'SIN2-P1',
    addresses,
    separate: setup.separate ?? false,
    object: () => object,
    ...(setup.fault ? { fault: setup.fault } : {}),
  });
  const separate = new SeparateCaches();
  if (!setup.probes) while (separate.takeProbe());
  const scope = new CancellableScope();
  const context: WarmContext = {
    servedBy: createServedByReader('SIN2-P1', (a, b) => popCatalogue().sameCity(a, b)),
    acceptStatus: setup.acceptStatus ?? null,
    addresses,
    separate,
    scope,
    clock: skippingClock(),
    random: () => 0.5,
    ask(target, address, byteAt) {
      const ask: Ask = { method: 'GET', url: target.url, address, headers: [], scope };
      return pop.ask(byteAt === undefined ? ask : { ...ask, byteAt });
    },
  };
  return {
    context,
    pop,
    async warm(url = URL_1, ordinal = 0) {
      const target = new Target(url, { name: 'default', headers: [] }, false);
      await warmTarget(context, target, ordinal);
      return target;
    },
  };
}

export function addressOf(context: WarmContext, index: number): EdgeAddress {
  const address = context.addresses[index];
  if (address === undefined) throw new RangeError(`the POP has no address ${index}`);
  return address;
}

export const shape = (asks: readonly Ask[]) =>
  asks.map((ask) => `${ask.address.ip.slice(-1)}${ask.byteAt === undefined ? '' : '*'}`).join(' ');
