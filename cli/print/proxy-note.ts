const PROXY_VARIABLES = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy'] as const;

/** What to say where the environment names a proxy; null: it names none. AWS's SDK for JavaScript reads none of these variables either. */
export function proxyNote(env: NodeJS.ProcessEnv): string | null {
  // For no host at all: whoever set that counts on no proxy.
  if ([env['NO_PROXY'], env['no_proxy']].some((hosts) => hosts?.trim() === '*')) return null;
  const name = PROXY_VARIABLES.find((variable) => (env[variable] ?? '').trim() !== '');
  return name === undefined
    ? null
    : `${name} is not used: downloads go straight to the addresses of the POPs, and calls to AWS go there directly`;
}
