// Metrics that functions write to their logs (EMF), and that alarms and dashboards read. A name that one side alone knows does not compile.

export const METRIC_NAMESPACE = 'CloudFrontPrewarm';

/** Metrics of an environment, with the dimension `EnvName`; those by status have `Status` too. */
export type MetricName =
  | 'RequestsAccepted'
  | 'RequestsEnded'
  | 'RequestsPastTimeout'
  | 'TargetsWarmed'
  | 'TargetsAlreadyWarm'
  | 'TargetsFailed'
  | 'EdgeBytes'
  | 'InstancesAfterLastRequest'
  | 'NotificationsFailed';

/** Metrics of one host at one POP that is kept warm, with the dimensions `KEEP_WARM_DIMENSIONS`. */
export type KeepWarmMetricName =
  | 'KeepWarmRequests'
  | 'KeepWarmErrors'
  | 'KeepWarmSilent'
  | 'KeepWarmNewConnections'
  | 'KeepWarmConnect'
  | 'KeepWarmFirstByte';

export const KEEP_WARM_DIMENSIONS = ['EnvName', 'Host', 'Pop'] as const;

/** Values of `KEEP_WARM_DIMENSIONS`. */
export type KeepWarmDimensions = Readonly<Record<(typeof KEEP_WARM_DIMENSIONS)[number], string>>;

// What the functions put on the environment's event bus, and what the rules and users' own rules match. Changing either breaks users' rules.

export const EVENT_SOURCE = 'cloudfront-prewarm';
/** Detail type of the event that announces a request's end. */
export const REQUEST_ENDED = 'PrewarmRequestEnded';
