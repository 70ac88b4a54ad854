// The clients of the services: they log in at each signer in turn, send requests with new and older
// tokens, and count the results. They judge no figure.
import { createSamples, type Samples, startLoad } from '@latchkey/test-kit/load';
import type { Answer, Service } from './service.ts';
import type { LoginReply } from './terms.ts';

/** The tokens that one signer signed with one key. Times are milliseconds since the epoch. */
export interface KeyUse {
  readonly kid: string;
  readonly signer: number;
  tokens: number;
  /** The latest time at which the first token was signed. */
  firstEnded: number;
  /** The earliest time at which signing the last token began. */
  lastBegan: number;
}

/** The results. */
export interface Count {
  readonly logins: number;
  readonly requests: number;
  /** Requests with a token per second. */
  readonly perSecond: number;
  readonly failed: number;
  /** `2 verifier 401 token_key_unknown at 23.1 s`, and so on; empty if no request failed. */
  readonly failures: string;
  readonly uses: readonly KeyUse[];
  /** The times from a request with a token to its answer. */
  readonly times: Samples;
}

/** Running callers. */
export interface Callers {
  stop(): Promise<Count>;
}

const LOGINS_PER_SECOND = 250;
/** Requests with older tokens, in addition to the request right after each login. */
const LATER_PER_SECOND = 750;
/** Tokens are used for this time, which is a little shorter than their lifetime. */
const USED_FOR_MS = 8_000;

/**
 * Starts the load: a thousand requests per second with a token. A quarter of them use a token that
 * has just been signed.
 */
export async function startCallers(signers: readonly Service[], verifier: Service): Promise<Callers> {
  const startedAt = Date.now();
  const failures = new Map<string, { count: number; readonly at: number }>();
  const uses = new Map<string, KeyUse>();
  const times = createSamples(300_000);
  const tokens: { readonly token: string; readonly at: number }[] = [];
  let logins = 0;
  let requests = 0;

  async function logIn(): Promise<string> {
    const signer = logins++ % signers.length;
    const answer = await asked('signer', signers[signer]?.post('/token', { user: 'john', pass: 'doe' }));
    const reply = answer.body as LoginReply;
    note(signer, reply);
    const { access_token: token, ended: at } = reply;
    if (tokens.push({ token, at }) > (LOGINS_PER_SECOND * USED_FOR_MS) / 1000) tokens.shift();
    return token;
  }

  async function use(token: string): Promise<void> {
    requests++;
    const began = performance.now();
    await asked('verifier', verifier.get('/friends', token));
    times.add(performance.now() - began);
  }

  /** A token of the last seconds. */
  function older(): string {
    const picked = tokens[Math.floor(Math.random() * tokens.length)];
    const young = picked !== undefined && Date.now() - picked.at < USED_FOR_MS;
    return (young ? picked : tokens.at(-1))?.token ?? '';
  }

  async function asked(who: string, answer: Promise<Answer> | undefined): Promise<Answer> {
    let reason: string;
    try {
      const { status, body } = (await answer) ?? { status: 0, body: undefined };
      if (status === 200) return { status, body };
      reason = `${who} ${status} ${(body as { readonly code?: string } | undefined)?.code}`;
    } catch (error) {
      reason = `${who} ${error instanceof Error ? error.message : error}`;
    }
    const failure = failures.get(reason) ?? { count: 0, at: Date.now() - startedAt };
    failure.count++;
    failures.set(reason, failure);
    throw new Error(reason);
  }

  function note(signer: number, { access_token, began, ended }: LoginReply): void {
    const kid = kidOf(access_token);
    const id = `${kid} ${signer}`;
    const known = uses.get(id) ?? { kid, signer, tokens: 0, firstEnded: ended, lastBegan: began };
    known.tokens++;
    known.firstEnded = Math.min(known.firstEnded, ended);
    known.lastBegan = Math.max(known.lastBegan, began);
    uses.set(id, known);
  }

  await logIn();
  const fresh = startLoad([{ call: async () => use(await logIn()) }], LOGINS_PER_SECOND);
  const later = startLoad([{ call: () => use(older()) }], LATER_PER_SECOND);
  return {
    async stop() {
      const loads = await Promise.all([fresh.stop(), later.stop()]);
      return {
        logins,
        requests,
        perSecond: loads.reduce((sum, { perSecond }) => sum + perSecond, 0),
        failed: loads.reduce((sum, { tally }) => sum + tally.failed, 0),
        failures: [...failures]
          .map(([reason, { count, at }]) => `${count} ${reason}, first at ${(at / 1000).toFixed(1)} s`)
          .join('; '),
        uses: [...uses.values()],
        times,
      };
    },
  };
}

function kidOf(token: string): string {
  const header = Buffer.from(token.slice(0, token.indexOf('.')), 'base64url').toString();
  return (JSON.parse(header) as { readonly kid: string }).kid;
}
