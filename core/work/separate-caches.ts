/** How many targets of a request and POP are asked at every address to find out whether these are separate caches. */
const PROBES = 3;
/** Probes that may be tried again because they compared nothing: an address that stays dead must not make a probe of every target. */
const SPARE_PROBES = 3;

/** What one agent knows of one request and POP: whether the POP's addresses are separate caches. */
export class SeparateCaches {
  isFound = false;
  /** None of the POP's first addresses could be reached while one of the last resort could. */
  needsLastResort = false;
  #probesLeft = PROBES;
  #spareProbes = SPARE_PROBES;

  /** True for the first targets, which are asked at every address whatever they answer. */
  takeProbe(): boolean {
    if (this.#probesLeft === 0) return false;
    this.#probesLeft--;
    return true;
  }

  /** The probe compared nothing, since its target failed or an address could not be reached: another target takes its place. */
  giveProbeBack(): void {
    if (this.#spareProbes === 0) return;
    this.#spareProbes--;
    this.#probesLeft++;
  }

  found(): void {
    this.isFound = true;
  }
}

/** What one agent knows of each request and POP that it works for. */
export interface Findings {
  of(requestId: string, pop: string): SeparateCaches;
  forgetOthers(active: ReadonlySet<string>): void;
}

export function createFindings(): Findings {
  const byRequest = new Map<string, Map<string, SeparateCaches>>();
  return {
    of(requestId, pop) {
      const ofRequest = byRequest.get(requestId) ?? new Map<string, SeparateCaches>();
      byRequest.set(requestId, ofRequest);
      const finding = ofRequest.get(pop) ?? new SeparateCaches();
      ofRequest.set(pop, finding);
      return finding;
    },
    forgetOthers(active) {
      for (const id of byRequest.keys()) if (!active.has(id)) byRequest.delete(id);
    },
  };
}
