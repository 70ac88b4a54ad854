// The other process: issuers on loopback, told what to do by messages. It keeps their work out of
// the measured process.
import { createIssuer, type Fault, type TestIssuer } from '@latchkey/testing';

/** What the measured process asks for. `seq` comes back with the answer; `id` is an issuer's. */
export type Command =
  | { readonly op: 'create'; readonly cacheControl?: string | undefined }
  | { readonly op: 'mint'; readonly id: number; readonly count: number }
  | { readonly op: 'rotate'; readonly id: number; readonly keepOld: boolean }
  | { readonly op: 'fail'; readonly id: number; readonly fault?: Fault | undefined }
  | { readonly op: 'counts'; readonly id: number }
  | { readonly op: 'close'; readonly id: number };

/** What comes back. */
export type Reply = { readonly seq: number } & ({ readonly result: unknown } | { readonly error: string });

if (process.send !== undefined) serve((reply) => process.send?.(reply));

function serve(send: (reply: Reply) => void): void {
  const issuers: TestIssuer[] = [];
  process.on('message', (message: unknown) => {
    if (!isRequest(message)) throw new Error('not a request');
    const { seq } = message;
    obey(issuers, message).then(
      (result) => send({ seq, result: result ?? null }),
      (error: unknown) => send({ seq, error: String(error) }),
    );
  });
  process.on('disconnect', () => process.exit());
}

async function obey(issuers: TestIssuer[], command: Command): Promise<unknown> {
  if (command.op === 'create') {
    const { cacheControl } = command;
    const issuer = await createIssuer({
      // What most providers sign with.
      algorithm: 'RS256',
      ...(cacheControl === undefined ? {} : { cacheControl }),
    });
    const id = issuers.push(issuer) - 1;
    return { id, issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, audience: issuer.audience };
  }
  const issuer = issuers[command.id];
  if (issuer === undefined) throw new Error(`no issuer ${command.id}`);
  switch (command.op) {
    case 'mint':
      return Promise.all(Array.from({ length: command.count }, () => issuer.mint()));
    case 'rotate':
      return (await issuer.rotate({ keepOld: command.keepOld })).kid;
    case 'fail':
      return issuer.fail(command.fault);
    case 'counts':
      return issuer.requests;
    case 'close':
      return issuer.close();
  }
}

/** Both ends are this application: the shape of the envelope is all that has to be sure. */
function isRequest(message: unknown): message is Command & { readonly seq: number } {
  return (
    typeof message === 'object' &&
    message !== null &&
    'seq' in message &&
    typeof message.seq === 'number' &&
    'op' in message &&
    typeof message.op === 'string'
  );
}
