import type { APIGatewayProxyResult } from 'aws-lambda';
import type { CostMeter } from './cost-meter.ts';
import { type CostFunction, startCostFunction } from './cost-function.ts';
import type { SynthesizedStack } from './cost-template.ts';
import { addUsage, NO_USAGE, type Usage } from './cost-usage.ts';

/** The stack's functions, each in processes of its own behind the meter. `caller` names whose bill an invocation is on. */
export interface CostFunctions {
  /** Starts what is not running yet; `instance` tells those apart that work at the same time. */
  get(name: string, caller?: string, instance?: number): Promise<CostFunction>;
  /** What the functions of a caller used themselves, with what they called. */
  usage(caller: string): Usage;
  callers(): readonly string[];
  /** That any of them has told, with their dimensions. */
  metrics(): ReadonlySet<string>;
  stop(): Promise<void>;
}

export interface FunctionSurroundings {
  readonly meter: CostMeter;
  readonly stack: SynthesizedStack;
  /** Of one function, which reaches the account at `endpoint`: those of the stage, the edge and the account's keys. */
  readonly variablesOf: (name: string, endpoint: string) => Readonly<Record<string, string>>;
}

export function createCostFunctions({ meter, stack, variablesOf }: FunctionSurroundings): CostFunctions {
  const started = new Map<string, { readonly caller: string; readonly running: Promise<CostFunction> }>();
  const settled = new Map<string, CostFunction>();
  const endpoints = new Map<string, Promise<string>>();

  async function start(key: string, name: string, caller: string): Promise<CostFunction> {
    const definition = stack.functions.get(name);
    if (definition === undefined) throw new Error(`the template has no function ${name}`);
    const endpoint = endpoints.get(caller) ?? meter.open(caller);
    endpoints.set(caller, endpoint);
    const running = await startCostFunction(name, definition, variablesOf(name, await endpoint));
    settled.set(key, running);
    return running;
  }

  return {
    get(name, caller = name, instance = 0) {
      const key = `${caller}/${instance}`;
      const known = started.get(key);
      if (known !== undefined) return known.running;
      const running = start(key, name, caller);
      started.set(key, { caller, running });
      return running;
    },
    usage(caller) {
      let usage = endpoints.has(caller) ? meter.read(caller).usage : NO_USAGE;
      for (const [key, one] of settled) if (started.get(key)?.caller === caller) usage = addUsage(usage, one.usage());
      return usage;
    },
    callers: () => [...endpoints.keys()],
    metrics: () => new Set([...settled.values()].flatMap((one) => [...one.metrics()])),
    async stop() {
      for (const { running } of started.values()) await (await running).stop();
    },
  };
}

export interface ApiAnswer {
  readonly statusCode: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Invokes the API's function as API Gateway does. */
export async function askApi(api: CostFunction, path: string, json?: object): Promise<ApiAnswer> {
  const [below = '', query = ''] = path.split('?');
  const { statusCode, body } = await api.invoke<APIGatewayProxyResult>({
    resource: '/{proxy+}',
    path: below,
    pathParameters: { proxy: below.slice(1) },
    httpMethod: json === undefined ? 'GET' : 'POST',
    headers: {},
    queryStringParameters: query === '' ? null : Object.fromEntries(new URLSearchParams(query)),
    body: json === undefined ? null : JSON.stringify(json),
    isBase64Encoded: false,
    requestContext: { stage: 'v1', identity: { apiKeyId: 'key' } },
  });
  return { statusCode, body: JSON.parse(body) as ApiAnswer['body'] };
}
