/** Names are in snake_case. An error is `err`. */
export type LogFields = Readonly<Record<string, unknown>>;

/** One structured line a call, for an operator. No line holds a key, a header's value, a body, or what follows a URL's `?`. */
export interface Log {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}
