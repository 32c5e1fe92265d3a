/** How many targets of a request and POP are asked at every address to find out whether these are separate caches. */
const PROBES = 3;

/** What one agent knows of one request and POP: whether the POP's addresses are separate caches. */
export class SeparateCaches {
  isFound = false;
  #probesLeft = PROBES;

  /** True for the first targets, which are asked at every address whatever they answer. */
  takeProbe(): boolean {
    if (this.#probesLeft === 0) return false;
    this.#probesLeft--;
    return true;
  }

  found(): void {
    this.isFound = true;
  }
}
