// When a token is kept, through authenticators: from the second time on that it is accepted. What
// becomes of kept ones is in cached.test.ts, and what is counted as one there.
import { createHmac, randomBytes } from 'node:crypto';
import { createClock, forge } from '@latchkey/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type Authenticator,
  type AuthenticatorOptions,
  createAuthenticator,
  createMemoryStore,
  isAuthError,
} from '../../src/index.ts';

const work = vi.hoisted(() => ({ parsed: 0 }));

vi.mock('../../src/token/parse.ts', async (original) => {
  const real = await original<typeof import('../../src/token/parse.ts')>();
  const parseToken: typeof real.parseToken = (...given) => {
    work.parsed++;
    return real.parseToken(...given);
  };
  return { ...real, parseToken };
});

const ISSUER = 'https://issuer.example';
const AUDIENCE = 'https://api.example.com';
const NOW = 1_700_000_000_000;
const SOON = NOW / 1000 + 300;
const SECRET = Buffer.concat([randomBytes(63), Buffer.from([0x21])]);

function sign(claims: object, secret = SECRET): string {
  return forge({
    header: { kid: 'one', typ: 'JWT', alg: 'HS256' },
    payload: { iss: ISSUER, aud: AUDIENCE, sub: 'alice', exp: SOON, ...claims },
    signature: (input) => createHmac('sha256', secret).update(input).digest(),
  });
}

const clock = createClock(NOW);
const closers: (() => Promise<unknown>)[] = [];
beforeEach(() => clock.set(NOW));
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

function build(options: Partial<AuthenticatorOptions> = {}): Authenticator {
  const jwk = { kty: 'oct', kid: 'one', alg: 'HS256', k: SECRET.toString('base64url') };
  const authenticator = createAuthenticator({
    keySets: [{ issuer: ISSUER, secret: { name: 'keys' } }],
    secrets: createMemoryStore({ keys: { 'jwks.json': JSON.stringify({ keys: [jwk] }) } }),
    audience: AUDIENCE,
    clock,
    ...options,
  });
  closers.push(authenticator.close);
  return authenticator;
}

/** What became of each in turn: `kept` where nothing had to be parsed. */
async function askAll(
  { verify, authenticate }: Authenticator,
  tokens: readonly string[],
  how: 'verify' | 'authenticate' = 'verify',
): Promise<readonly string[]> {
  const answers: string[] = [];
  for (const token of tokens) {
    const before = work.parsed;
    const authorization = `Bearer ${token}`;
    try {
      if (how === 'verify') await verify(token);
      else
        await authenticate({
          method: 'GET',
          headers: { authorization },
          rawHeaders: ['Authorization', authorization],
        });
      answers.push(work.parsed === before ? 'kept' : 'verified');
    } catch (error) {
      if (!isAuthError(error)) throw error;
      answers.push(error.code);
    }
  }
  return answers;
}

describe('T-142: a token that comes again', () => {
  it.each(['verify', 'authenticate'] as const)(
    'T-142: is kept the second time, and found from the third on: %s',
    async (how) => {
      const token = sign({});
      expect(await askAll(build(), [token, token, token, token], how)).toEqual([
        'verified',
        'verified',
        'kept',
        'kept',
      ]);
    },
  );

  it('T-142: has the same principal from the second time on, and an equal one before', async () => {
    const { verify } = build();
    const token = sign({ groups: ['staff'], deep: [{ x: 1 }] });
    const [first, second, third] = [await verify(token), await verify(token), await verify(token)];
    expect(third).toBe(second);
    expect(second).not.toBe(first);
    expect(second).toEqual(first);
  });

  it('T-142: the first time many at once ask for it', async () => {
    const { verify } = build();
    const token = sign({});
    const principals = await Promise.all(Array.from({ length: 10 }, () => verify(token)));
    for (const principal of principals) expect(principal).toEqual(principals[0]);
    expect(await verify(token)).toMatchObject({ subject: 'alice' });
  });

  it('T-148: as many as may be kept are all kept, whichever way round they come', async () => {
    const tokens = Array.from({ length: 200 }, (_, jti) => sign({ jti: String(jti) }));
    const authenticator = build({ cache: { tokens: 200 } });
    await askAll(authenticator, tokens);
    await askAll(authenticator, tokens.toReversed());
    expect(new Set(await askAll(authenticator, tokens))).toEqual(new Set(['kept']));
  });

  it('T-148: a flood of tokens that come once pushes hardly anything out', async () => {
    const tokens = Array.from({ length: 50 }, (_, jti) => sign({ jti: String(jti) }));
    const flood = Array.from({ length: 1_000 }, (_, jti) => sign({ jti: `once-${jti}` }));
    const authenticator = build({ cache: { tokens: 200 } });
    await askAll(authenticator, [...tokens, ...tokens]);
    await askAll(authenticator, flood);
    const answers = await askAll(authenticator, tokens);
    expect(answers.filter((answer) => answer === 'kept')).toHaveLength(50);
  });
});

describe('T-147: a token that is refused', () => {
  it('T-147: has not been seen, however often it is refused', async () => {
    const authenticator = build();
    const later = sign({ nbf: NOW / 1000 + 60 });
    expect(new Set(await askAll(authenticator, Array(5).fill(later)))).toEqual(
      new Set(['token_not_yet_valid']),
    );
    clock.set(NOW + 120_000);
    expect(await askAll(authenticator, [later, later, later])).toEqual(['verified', 'verified', 'kept']);
  });

  it('T-147: a wrong signature has not been seen, and the next one is looked at as well', async () => {
    const authenticator = build();
    const wrong = sign({}, randomBytes(64));
    expect(new Set(await askAll(authenticator, Array(5).fill(wrong)))).toEqual(
      new Set(['token_signature_invalid']),
    );
  });

  it('T-142: another payload under a signature that was seen is refused', async () => {
    const authenticator = build();
    const token = sign({});
    await askAll(authenticator, [token, token, token]);
    const signature = token.slice(token.lastIndexOf('.'));
    const other = sign({ sub: 'root' });
    const forged = `${other.slice(0, other.lastIndexOf('.'))}${signature}`;
    expect(await askAll(authenticator, [forged, forged, forged])).toEqual(
      Array(3).fill('token_signature_invalid'),
    );
  });
});

describe('T-149: two authenticators', () => {
  it('T-149: what one has seen is new to the other', async () => {
    const [one, two] = [build(), build()];
    const token = sign({});
    expect(await askAll(one, [token, token, token])).toEqual(['verified', 'verified', 'kept']);
    expect(await askAll(two, [token, token, token])).toEqual(['verified', 'verified', 'kept']);
  });
});
