import type { RequestRow } from '../request/request.ts';

/** Told after the transition, perhaps more than once. */
export interface Events {
  requestEnded(row: RequestRow): Promise<void>;
}
