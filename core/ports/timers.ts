/** One-time timers by request; setting one again replaces it, cancelling none is no error. */
export interface Timers {
  set(requestId: string, at: number): Promise<void>;
  cancel(requestId: string): Promise<void>;
}
