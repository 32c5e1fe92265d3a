/** What the stack's parameters say, as texts. Empty ones were not given. */
export interface KeepWarmSettings {
  readonly customDomain: string;
  readonly distributionDomainName: string;
  readonly urlPath: string;
  /** Names with commas between. */
  readonly popList: string;
  readonly requestsPerPop: string;
  readonly method: string;
  /** ARN of the secret. */
  readonly headersSecret: string;
  /** Where the list of routes is that was given in the context; empty: the parameters are the one route. */
  readonly routesBucket: string;
  readonly routesKey: string;
}

export const SETTING_NAMES = [
  'customDomain',
  'distributionDomainName',
  'urlPath',
  'popList',
  'requestsPerPop',
  'method',
  'headersSecret',
  'routesBucket',
  'routesKey',
] as const satisfies readonly (keyof KeepWarmSettings)[];

/** Environment variable of a setting: `urlPath` is `PREWARM_KEEP_WARM_URL_PATH`. */
export function variableOf(setting: keyof KeepWarmSettings): string {
  return `PREWARM_KEEP_WARM_${setting.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

export function settingsFrom(read: (setting: keyof KeepWarmSettings) => string | undefined): KeepWarmSettings {
  return Object.fromEntries(SETTING_NAMES.map((name) => [name, (read(name) ?? '').trim()])) as unknown as KeepWarmSettings;
}
