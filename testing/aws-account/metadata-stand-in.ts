import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

export interface InstanceCredentials {
  readonly AccessKeyId: string;
  readonly SecretAccessKey: string;
  readonly SessionToken: string;
  /** ISO 8601. */
  readonly Expiration: string;
}

export interface StandInInstance {
  readonly instanceId: string;
  readonly region: string;
  readonly roleName: string;
  credentials(): Promise<InstanceCredentials>;
}

/** What an instance is told about itself, at `http://127.0.0.1:port`; version 2 of the protocol only. */
export interface MetadataStandIn {
  readonly endpoint: string;
  /** From now on the instance is told that it will be taken in two minutes. */
  announceSpotInterruption(): void;
  /** From now on this is what it is told at `/latest/meta-data/<name>`; null: nothing. */
  tell(name: string, text: string | null): void;
  close(): Promise<void>;
}

const TOKEN = 'token-of-the-stand-in';

export async function startMetadataStandIn(instance: StandInInstance): Promise<MetadataStandIn> {
  const facts = new Map<string, () => string | Promise<string>>([
    ['instance-id', () => instance.instanceId],
    ['placement/region', () => instance.region],
    ['placement/availability-zone', () => `${instance.region}a`],
    ['autoscaling/target-lifecycle-state', () => 'InService'],
    ['iam/security-credentials/', () => instance.roleName],
    [
      `iam/security-credentials/${instance.roleName}`,
      async () => {
        const { SessionToken: token, ...keys } = await instance.credentials();
        return JSON.stringify({ Code: 'Success', Type: 'AWS-HMAC', LastUpdated: new Date().toISOString(), Token: token, ...keys });
      },
    ],
  ]);

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '';
    if (request.method === 'PUT' && path === '/latest/api/token') return void response.end(TOKEN);
    if (request.headers['x-aws-ec2-metadata-token'] !== TOKEN) return void response.writeHead(401).end();
    const fact = facts.get(path.replace('/latest/meta-data/', ''));
    if (fact === undefined) return void response.writeHead(404).end();
    response.end(await fact());
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    announceSpotInterruption() {
      const time = new Date(Date.now() + 120_000).toISOString();
      facts.set('spot/instance-action', () => JSON.stringify({ action: 'terminate', time }));
    },
    tell(name, text) {
      if (text === null) facts.delete(name);
      else facts.set(name, () => text);
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
