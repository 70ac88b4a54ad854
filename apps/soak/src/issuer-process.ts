// Runs issuers on loopback, controlled by messages. It is a process of its own, so that the work of
// the issuers is not measured.
import { createIssuer, type Fault, type TestIssuer } from '@latchkey/testing';

/** A command of the measured process. The reply has the same `seq`; `id` is the id of an issuer. */
export type Command =
  | { readonly op: 'create'; readonly cacheControl?: string | undefined }
  | { readonly op: 'mint'; readonly id: number; readonly count: number }
  | { readonly op: 'rotate'; readonly id: number; readonly keepOld: boolean }
  | { readonly op: 'fail'; readonly id: number; readonly fault?: Fault | undefined }
  | { readonly op: 'counts'; readonly id: number }
  | { readonly op: 'close'; readonly id: number };

/** The reply to a command. */
export type Reply = { readonly seq: number } & ({ readonly result: unknown } | { readonly error: string });

if (process.send !== undefined) serve((reply) => process.send?.(reply));

function serve(send: (reply: Reply) => void): void {
  const issuers: TestIssuer[] = [];
  process.on('message', (message: unknown) => {
    if (!isRequest(message)) throw new Error('expected a command');
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
      // The algorithm of most providers.
      algorithm: 'RS256',
      ...(cacheControl === undefined ? {} : { cacheControl }),
    });
    const id = issuers.push(issuer) - 1;
    return { id, issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, audience: issuer.audience };
  }
  const issuer = issuers[command.id];
  if (issuer === undefined) throw new Error(`expected the id of an issuer, got ${command.id}`);
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

/** Checks only the outer form, because this application also sends the commands. */
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
