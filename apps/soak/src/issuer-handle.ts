// Controls the issuer process from the measured process: one method for each message. No token is
// issued here.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Fault, RequestCounts } from '@latchkey/testing';
import type { Command, Reply } from './issuer-process.ts';

/** An issuer in the other process. A method resolves when the issuer has done the work. */
export interface RemoteIssuer {
  readonly issuer: string;
  readonly jwksUrl: string;
  readonly audience: string;
  /** Signs tokens with the current key, each with its own `jti`, valid for five minutes. */
  mint(count: number): Promise<readonly string[]>;
  /** Publishes a new key, which becomes the signing key. Resolves with its kid. */
  rotate(options: { readonly keepOld: boolean }): Promise<string>;
  /** Answers every request with this fault. Call it without a fault to end that. */
  fail(fault?: Fault): Promise<void>;
  /** The number of requests that have arrived. */
  counts(): Promise<RequestCounts>;
  /** Closes the issuer's port. */
  close(): Promise<void>;
}

/** The process that runs issuers. */
export interface IssuerHost {
  create(options?: { readonly cacheControl?: string }): Promise<RemoteIssuer>;
  close(): Promise<void>;
}

/** Starts the process. */
export function startIssuerHost(): IssuerHost {
  const child = fork(fileURLToPath(import.meta.resolve('./issuer-process.ts')));
  const ask = createAsk(child);
  return {
    async create(options = {}) {
      const { id, issuer, jwksUrl, audience } = read(await ask({ op: 'create', ...options }), isCreated);
      return Object.freeze<RemoteIssuer>({
        issuer,
        jwksUrl,
        audience,
        mint: async (count) => read(await ask({ op: 'mint', id, count }), isTexts),
        rotate: async ({ keepOld }) => read(await ask({ op: 'rotate', id, keepOld }), isText),
        fail: async (fault) => void (await ask({ op: 'fail', id, fault })),
        counts: async () => read(await ask({ op: 'counts', id }), isCounts),
        close: async () => void (await ask({ op: 'close', id })),
      });
    },
    async close() {
      if (!child.connected) return;
      child.disconnect();
      await once(child, 'exit');
    },
  };
}

function createAsk(child: ChildProcess): (command: Command) => Promise<unknown> {
  const waiting = new Map<number, (reply: Reply) => void>();
  let lastSeq = 0;
  child.on('message', (message: unknown) => {
    if (isReply(message)) waiting.get(message.seq)?.(message);
  });
  child.on('exit', (code) => {
    for (const [seq, settle] of waiting)
      settle({ seq, error: `the issuer process ended, exit code ${code}` });
  });
  return (command) =>
    new Promise((resolve, reject) => {
      const seq = ++lastSeq;
      waiting.set(seq, (reply) => {
        waiting.delete(seq);
        if ('error' in reply) reject(new Error(reply.error));
        else resolve(reply.result);
      });
      child.send({ seq, ...command }, (error) => {
        if (error !== null) waiting.get(seq)?.({ seq, error: error.message });
      });
    });
}

function read<T>(value: unknown, is: (value: unknown) => value is T): T {
  if (!is(value))
    throw new Error('expected the answer to the command, got another message from the issuer process');
  return value;
}

function isReply(value: unknown): value is Reply {
  return isObject(value) && typeof value.seq === 'number' && ('result' in value || 'error' in value);
}

function isCreated(
  value: unknown,
): value is { readonly id: number } & Pick<RemoteIssuer, 'issuer' | 'jwksUrl' | 'audience'> {
  return (
    isObject(value) &&
    typeof value.id === 'number' &&
    [value.issuer, value.jwksUrl, value.audience].every(isText)
  );
}

function isCounts(value: unknown): value is RequestCounts {
  return isObject(value) && typeof value.metadata === 'number' && typeof value.jwks === 'number';
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
