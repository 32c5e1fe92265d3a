const BY_KEY = /^(cancelled|stopped) by (.+)$/;

/** The reason of a request's end for people: whoever cancels is known by the name of the API key. */
export function describeStatusReason(reason: string): string {
  const [, what, key] = BY_KEY.exec(reason) ?? [];
  return key === undefined ? reason : `${what} with the API key named ${JSON.stringify(key)}`;
}
