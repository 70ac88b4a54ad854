// A registry on loopback. It has the packages of this repository only if they are published to it;
// it gets all others from the registry that npm is set to.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { runServer } from 'verdaccio';

export interface Registry {
  readonly url: string;
  /** The lines of an `.npmrc` that choose it. Its token is no secret: everybody may publish. */
  readonly npmrc: string;
  readonly close: () => Promise<void>;
}

export async function startRegistry(folder: string): Promise<Registry> {
  mkdirSync(folder, { recursive: true });
  const upstream = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim();
  const server = (await runServer({
    configPath: join(folder, 'config.yaml'),
    storage: join(folder, 'storage'),
    auth: { htpasswd: { file: join(folder, 'htpasswd') } },
    uplinks: { upstream: { url: upstream, maxage: '30m' } },
    packages: {
      '@latchkey/*': { access: '$all', publish: '$all' },
      '**': { access: '$all', proxy: 'upstream' },
    },
    web: { enable: false },
    log: { type: 'stdout', format: 'pretty', level: 'fatal' },
    // Its type wants members that it fills in itself.
  } as unknown as Parameters<typeof runServer>[0])) as Server;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/`;
  return {
    url,
    npmrc: `registry=${url}\n//127.0.0.1:${port}/:_authToken=everybody\n`,
    async close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
