// Runs a provider of many tenants on loopback, controlled by messages. It is a process of its own,
// so that its work is not measured. Every tenant has metadata and keys of its own path.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { generateSigningKey, mint } from '@latchkey/testing';

/** What the measured process asks for. */
export type Command =
  | { readonly op: 'start'; readonly tenants: number }
  /** Tokens of the first tenants, one each, valid for two hours. */
  | { readonly op: 'mint'; readonly count: number }
  | { readonly op: 'counts' };

/** The requests that have arrived. */
export interface Counts {
  readonly metadata: number;
  readonly keys: number;
}

let origin = '';
const counts = { metadata: 0, keys: 0 };
const issuerOf = (tenant: string) => `${origin}/realms/${tenant}`;

if (process.send !== undefined) await serve();

async function serve(): Promise<void> {
  const key = await generateSigningKey('ES256', 'k');
  let existing = 0;
  const server = createServer((request, response) => {
    const [, tenant = '', rest] = /^\/realms\/([^/]*)\/(.*)$/.exec(request.url ?? '') ?? [];
    const isKeys = rest === 'keys';
    counts[isKeys ? 'keys' : 'metadata']++;
    const [, number = existing] = /^tenant-(\d+)$/.exec(tenant) ?? [];
    if (Number(number) >= existing) {
      response.writeHead(404).end();
      return;
    }
    const issuer = issuerOf(tenant);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(isKeys ? { keys: [key.publicJwk] } : { issuer, jwks_uri: `${issuer}/keys` }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  async function obey(command: Command): Promise<unknown> {
    switch (command.op) {
      case 'start':
        existing = command.tenants;
        return origin;
      case 'counts':
        return counts;
      case 'mint': {
        const exp = Math.floor(Date.now() / 1000) + 7_200;
        return Promise.all(
          Array.from({ length: command.count }, (_, index) =>
            mint(key, { iss: issuerOf(`tenant-${index}`), aud: 'api', sub: 'alice', exp }),
          ),
        );
      }
    }
  }

  process.on('message', (command: Command) => {
    void obey(command).then((answer) => process.send?.(answer ?? null));
  });
  process.on('disconnect', () => process.exit());
  process.send?.('ready');
}
