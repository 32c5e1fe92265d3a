import type { Header } from '../request/request.ts';

/** The headers of each variant of a request, in the order of the variants. */
export type VariantHeaders = readonly (readonly Header[])[];

/**
 * Keeps the headers of a request apart from its row, in an object whose name nobody can guess and agents cannot list. Only the planner
 * and the sizer can look the name up; agents learn it from the tasks of that request alone.
 */
export interface ViewerHeaders {
  /** Keeps the headers, to be called before the request has a row. Called again for the same request, it keeps what was kept first. */
  keep(requestId: string, headers: VariantHeaders): Promise<void>;
  /** Null: nothing is kept of this request. */
  nameOf(requestId: string): Promise<string | null>;
  /** Throws PrewarmError where they were dropped meanwhile. */
  read(name: string): Promise<VariantHeaders>;
  /** Dropping what is not there is no error. */
  drop(requestId: string): Promise<void>;
}
