// The service of one contestant in its own process: it listens, sends its URL to its parent, and
// ends with the parent.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Terms } from '../terms.ts';
import type { Starters } from './starter.ts';

const [framework = '', contestant = '', given = ''] = process.argv.slice(2);
const terms: Terms = JSON.parse(given);

process.on('disconnect', () => process.exit());
const server = await listen();
// Longer than a run, because closing a connection while the client reuses it would count as a
// failure.
server.keepAliveTimeout = 600_000;
process.send?.((server.address() as AddressInfo).port);

async function listen(): Promise<Server> {
  switch (framework) {
    case 'express': {
      const { starters } = await import('./express.ts');
      return onFreePort(createServer(await make(starters)));
    }
    case 'koa': {
      const { starters } = await import('./koa.ts');
      return onFreePort(createServer((await make(starters)).callback()));
    }
    case 'fastify': {
      const app = await make((await import('./fastify.ts')).starters);
      await app.listen({ port: 0, host: '127.0.0.1' });
      return app.server;
    }
    case 'nestjs': {
      const app = await make((await import('./nestjs.ts')).starters);
      await app.listen(0, '127.0.0.1');
      return app.getHttpServer();
    }
    default:
      throw new Error(`expected the name of a framework, got ${framework}`);
  }
}

async function make<App>(starters: Starters<App>): Promise<App> {
  const starter = starters[contestant];
  if (starter === undefined) throw new Error(`no ${contestant} on ${framework}`);
  return starter(terms);
}

function onFreePort(server: Server): Promise<Server> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}
