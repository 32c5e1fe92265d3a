import { isIP } from 'node:net';
import type { Node } from 'constructs';
import { CfnParameter, type Stack } from 'aws-cdk-lib';
import { type InputFault, InvalidInput } from '../../core/errors.ts';
import { inputFault } from '../../core/input-fault.ts';

/** Who may reach the API beside what its key asks for. */
export interface ApiAccess {
  /** `-c accountLogging=false` makes it false: the role that API Gateway writes logs by is one for the whole account, and is left as it is. */
  readonly setsAccountLogging: boolean;
  /** `-c auth=iam`: calls are signed with credentials of AWS, beside their key. */
  readonly asksForSignature: boolean;
  /** `-c allowFrom=CIDR,...`: calls from other addresses are refused. Empty: from anywhere. */
  readonly allowFrom: readonly string[];
}

export interface DeployContext {
  /** `prod`, or what `-c env=` says. */
  readonly defaultEnvName: string;
  /** `-c retainData=true`: what a stack's removal leaves behind are its tables and its bucket. */
  readonly retainData: boolean;
  readonly access: ApiAccess;
  /** `PrewarmStack`, or `PrewarmStack-staging` with `-c env=staging`. */
  readonly nameStack: (name: string) => string;
}

const DEFAULT_ENV = 'prod';

/** Reads the context that a deploy may be given. Throws InvalidInput, which names every fault and what to pass instead. */
export function readDeployContext(node: Node): DeployContext {
  const faults: InputFault[] = [];
  const read = <T>(name: string, otherwise: T, parse: (value: unknown) => T | null, remedy: string): T => {
    const value: unknown = node.tryGetContext(name) ?? otherwise;
    const parsed = parse(value);
    if (parsed !== null) return parsed;
    faults.push(inputFault(`context ${name}`, value, remedy));
    return otherwise;
  };
  const env = read('env', DEFAULT_ENV, parseEnv, 'pass 1 to 20 letters, digits and hyphens, such as -c env=staging');
  const retainData = read('retainData', false, parseSwitch, 'pass -c retainData=true, or nothing');
  const setsAccountLogging = read('accountLogging', true, parseSwitch, 'pass -c accountLogging=false, or nothing');
  const auth = read('auth', 'key', parseAuth, 'pass -c auth=iam, or nothing');
  const allowFrom = read(
    'allowFrom',
    '',
    (value) => (typeof value === 'string' && splitRanges(value).every(isRange) ? value : null),
    'pass ranges of addresses with commas between them, such as -c allowFrom=192.0.2.0/24,2001:db8::/32',
  );
  if (faults.length > 0) throw new InvalidInput(faults);
  return {
    defaultEnvName: env,
    retainData,
    access: { setsAccountLogging, asksForSignature: auth === 'iam', allowFrom: splitRanges(allowFrom) },
    nameStack: (name) => (env === DEFAULT_ENV ? name : `${name}-${env}`),
  };
}

function parseEnv(value: unknown): string | null {
  return typeof value === 'string' && /^[A-Za-z0-9-]{1,20}$/.test(value) ? value : null;
}

/** Of the command line all values are texts; cdk.json has others. */
function parseSwitch(value: unknown): boolean | null {
  const text = String(value);
  return text === 'true' ? true : text === 'false' ? false : null;
}

function parseAuth(value: unknown): string | null {
  return value === 'key' || value === 'iam' ? value : null;
}

function splitRanges(text: string): readonly string[] {
  return text === '' ? [] : text.split(',').map((range) => range.trim());
}

/** An address, or a range of addresses in CIDR notation. */
function isRange(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}

/** The parameter `envName` of a stack, as a token. `ended` says which names end with it. */
export function createEnvName(stack: Stack, defaultEnvName: string, ended: string): string {
  return new CfnParameter(stack, 'envName', {
    type: 'String',
    default: defaultEnvName,
    description: `Ends the names of ${ended}. Fixed at the first deploy: for another environment deploy with -c env=`,
    allowedPattern: '[A-Za-z0-9-]{1,20}',
    constraintDescription: 'must be 1 to 20 letters, digits and hyphens',
  }).valueAsString;
}
