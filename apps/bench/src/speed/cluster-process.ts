// A service of several workers on one port, with node:cluster. The primary process only starts the
// workers and sends their URL to its parent.
import cluster from 'node:cluster';
import { createServer } from 'node:http';
import { createAuthenticator, isAuthError } from '@latchkey/core';

/** The settings of the service. */
export interface ClusterTerms {
  readonly audience: string;
  readonly keySets: readonly { readonly issuer: string; readonly jwksUrl: string }[];
}

const [workers = '1', given = ''] = process.argv.slice(2);
if (cluster.isPrimary) supervise();
else serve(JSON.parse(given));

function supervise(): void {
  let listening = 0;
  cluster.on('listening', (_worker, { port }) => {
    listening++;
    if (listening === Number(workers)) process.send?.(port);
  });
  cluster.on('exit', (_worker, code) => process.exit(code === 0 ? 1 : code));
  for (let number = 0; number < Number(workers); number++) cluster.fork();
  process.on('disconnect', () => {
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill();
    process.exit();
  });
}

function serve({ audience, keySets }: ClusterTerms): void {
  const authenticator = createAuthenticator({
    keySets: keySets.map((keyset) => ({ ...keyset, allowHttp: true })),
    audience,
  });
  const server = createServer(async (request, response) => {
    try {
      const principal = await authenticator.authenticate(request);
      response.end(JSON.stringify({ of: principal?.subject }));
    } catch (error) {
      response.writeHead(isAuthError(error) ? error.status : 500).end();
    }
  });
  server.keepAliveTimeout = 600_000;
  // node:cluster gives all workers the same port.
  server.listen(0, '127.0.0.1');
}
