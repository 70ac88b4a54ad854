// One issuer or token does not harm another: issuers that hang, floods of kids, keys that left
// their set, keys in tokens; and the order of the checks.
import { sign } from 'node:crypto';
import { createServer } from 'node:http';
import { forge, generateSigningKey, type SigningKey } from '@latchkey/testing';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { Authenticator } from '../../src/decision/authenticator.ts';
import { isAuthError } from '../../src/errors.ts';
import type { JsonValue } from '../../src/values/json.ts';
import { outcome } from '../support/outcome.ts';
import { listen } from '../support/servers.ts';
import { AUDIENCE, ask, create, fetched, start, trusting, unsigned } from './issuers.ts';

describe('one issuer does not harm another', () => {
  it('T-115, R12: the tokens of one are verified while the other hangs', async () => {
    const [hanging, healthy] = [await start(), await start()];
    hanging.fail({ kind: 'hang' });
    const authenticator = create([fetched(hanging), fetched(healthy)]);
    let settled = false;
    const waiting = ask(authenticator, await hanging.mint()).finally(() => {
      settled = true;
    });
    for (let request = 0; request < 100; request++) {
      expect((await authenticator.verify(await healthy.mint())).issuer).toBe(healthy.issuer);
    }
    expect(settled).toBe(false);
    expect(hanging.requests.jwks).toBe(1);
    await authenticator.close();
    expect(await waiting).toBe('keyset_unavailable');
  });

  it('T-115: an unknown kid at a hanging issuer does not delay a known kid', async () => {
    const { issuer, authenticator } = await trusting();
    await authenticator.verify(await issuer.mint());
    issuer.fail({ kind: 'hang' });
    let settled = false;
    const unknown = ask(authenticator, unsigned(issuer.issuer, 'unknown')).finally(() => {
      settled = true;
    });
    for (let request = 0; request < 100; request++) {
      expect((await authenticator.verify(await issuer.mint())).subject).toBe('alice');
    }
    expect(settled).toBe(false);
    await authenticator.close();
    expect(await unknown).toBe('keyset_unavailable');
  });
});

describe('a flood of kids', () => {
  const flood = (authenticator: Authenticator, iss: string, size: number) =>
    Promise.all(
      Array.from({ length: size }, (_, index) => ask(authenticator, unsigned(iss, `random-${index}`))),
    );

  it('T-110: causes one request per 10 s, and valid tokens pass', async () => {
    const { issuer, authenticator } = await trusting();
    vi.useFakeTimers({ toFake: ['performance'] });
    const token = await issuer.mint();
    await authenticator.verify(token);
    for (let round = 1; round <= 3; round++) {
      for (let wave = 0; wave < 4; wave++) {
        const [refused, accepted] = await Promise.all([
          flood(authenticator, issuer.issuer, 500),
          ask(authenticator, token),
        ]);
        expect(new Set(refused)).toEqual(new Set(['token_key_unknown']));
        expect(accepted).toBe('accepted');
        expect(issuer.requests.jwks).toBe(1 + round);
        vi.advanceTimersByTime(2_499);
      }
      vi.advanceTimersByTime(4);
    }
  });

  it('T-110, T-111, R7: the same while the source fails, and the keys in use stay', async () => {
    const { issuer, authenticator } = await trusting();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const token = await issuer.mint();
    await authenticator.verify(token);
    issuer.fail({ kind: 'status', status: 500 });
    for (let wave = 0; wave < 5; wave++) {
      // The source may have a new key, so the kids are not unknown.
      expect(new Set(await flood(authenticator, issuer.issuer, 500))).toEqual(
        new Set(['keyset_unavailable']),
      );
      expect(await ask(authenticator, token)).toBe('accepted');
    }
    expect(issuer.requests.jwks).toBe(2);
  });

  it('T-110: a bad signature with a known kid causes no request', async () => {
    const { issuer, authenticator } = await trusting();
    await authenticator.ready();
    expect(await ask(authenticator, unsigned(issuer.issuer, issuer.key.kid))).toBe('token_signature_invalid');
    expect(issuer.requests.jwks).toBe(1);
  });

  it('T-110: at a source that never worked is refused with 503, with one request', async () => {
    const { issuer, authenticator } = await trusting();
    issuer.fail({ kind: 'reset' });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    for (let wave = 0; wave < 3; wave++) {
      expect(new Set(await flood(authenticator, issuer.issuer, 500))).toEqual(
        new Set(['keyset_unavailable']),
      );
    }
    expect(issuer.requests.jwks).toBe(1);
  });

  it.each([
    ['a number', 5],
    ['an array', ['k']],
    ['an object', {}],
    ['null', null],
    ['empty', ''],
    ['257 characters', 'k'.repeat(257)],
  ])('T-039: a kid that is %s causes no request', async (_, kid) => {
    const { issuer, authenticator } = await trusting();
    const token = forge({
      header: { alg: 'ES256', kid },
      payload: { iss: issuer.issuer, aud: AUDIENCE, exp: 4_000_000_000 },
      signature: Buffer.alloc(64, 1),
    });
    expect(await ask(authenticator, token)).toBe('token_malformed');
    expect(issuer.requests.jwks).toBe(0);
  });
});

describe('a key that left its set', () => {
  it('R3, T-130: verifies no token, also none that it verified before', async () => {
    const { issuer, authenticator } = await trusting();
    const old = await issuer.mint();
    expect(await ask(authenticator, old)).toBe('accepted');
    await issuer.rotate({ keepOld: false });
    // The first token of the new key causes a fetch.
    expect(await ask(authenticator, await issuer.mint())).toBe('accepted');
    expect(await ask(authenticator, old)).toBe('token_key_unknown');
    expect(issuer.requests.jwks).toBe(2);
  });

  it('R1: a key that is still published is still used', async () => {
    const { issuer, authenticator } = await trusting();
    const old = await issuer.mint();
    await authenticator.verify(old);
    await issuer.rotate();
    expect(await ask(authenticator, await issuer.mint())).toBe('accepted');
    expect(await ask(authenticator, old)).toBe('accepted');
  });

  it('T-123: an empty set withdraws all: 401, not 503', async () => {
    const { issuer, authenticator } = await trusting();
    const token = await issuer.mint();
    await authenticator.verify(token);
    issuer.publish([]);
    await authenticator.verify(unsigned(issuer.issuer, 'unknown')).catch(() => {});
    expect(await ask(authenticator, token)).toBe('token_key_unknown');
  });
});

describe('keys and addresses in a token', () => {
  let attacker: SigningKey;

  beforeAll(async () => {
    attacker = await generateSigningKey('ES256', 'attacker');
  });

  function signedBy(key: SigningKey, header: object, iss: string): string {
    return forge({
      header: { alg: 'ES256', ...header },
      payload: { iss, aud: AUDIENCE, sub: 'mallory', exp: 4_000_000_000 },
      signature: (input) => sign('sha256', input, { key: key.privateKey, dsaEncoding: 'ieee-p1363' }),
    });
  }

  it.each([
    ['a known kid', (ours: SigningKey) => ({ kid: ours.kid }), 'token_signature_invalid'],
    ['a kid of its own', () => ({ kid: 'attacker' }), 'token_key_unknown'],
    ['no kid', () => ({}), 'token_signature_invalid'],
  ] as const)('T-036: a jwk in the header with %s is ignored', async (_, header, result) => {
    const { issuer, authenticator } = await trusting();
    const brought = { ...header(issuer.key), jwk: attacker.publicJwk };
    expect(await ask(authenticator, signedBy(attacker, brought, issuer.issuer))).toBe(result);
  });

  it('T-036: a good token with a jwk in the header is accepted', async () => {
    const { issuer, authenticator } = await trusting();
    const token = signedBy(issuer.key, { kid: issuer.key.kid, jwk: attacker.publicJwk }, issuer.issuer);
    expect(await ask(authenticator, token)).toBe('accepted');
  });

  it('T-037, T-038: jku, x5u and x5c are never followed', async () => {
    const issuer = await start();
    let connections = 0;
    const server = createServer(
      (_, response) => void response.end(JSON.stringify({ keys: [attacker.publicJwk] })),
    );
    server.on('connection', () => connections++);
    const url = `http://127.0.0.1:${await listen(server)}/keys`;
    const authenticator = create([fetched(issuer)]);
    for (const brought of [{ jku: url }, { x5u: url }, { jku: url, x5u: url, x5c: ['MIIB'], x5t: 'AA' }]) {
      for (const kid of ['attacker', issuer.key.kid, undefined]) {
        const token = signedBy(attacker, { ...brought, ...(kid && { kid }) }, issuer.issuer);
        expect(await ask(authenticator, token)).toMatch(/^token_(?:key_unknown|signature_invalid)$/);
      }
    }
    expect(connections).toBe(0);
    // The server does answer.
    await fetch(url);
    expect(connections).toBe(1);
  });
});

describe('the order of checks (design §5)', () => {
  /** A defect changes members of the header or of the claims, the key, or the end of the token. */
  interface Defect {
    readonly name: string;
    readonly code: string;
    /** Distinguishes defects with the same code. */
    readonly detail?: string;
    readonly header?: Readonly<Record<string, JsonValue>>;
    readonly claims?: Readonly<Record<string, JsonValue>>;
    readonly isForged?: boolean;
    readonly tail?: string;
  }

  const NOW = 1_800_000_000;
  const malformed = 'token_malformed';
  const late = { code: 'token_not_yet_valid', detail: 'iat is 120 s in the future' };
  const noRule = { code: 'token_claims_invalid', detail: 'the rule on dept does not hold' };
  const segments = 'not three base64url segments';
  const tooLong = 'longer than maxTokenBytes (16384)';
  const crit = 'the header parameter crit is not supported';

  const DEFECTS: readonly Defect[] = [
    { name: 'size', code: malformed, detail: tooLong, claims: { padding: 'x'.repeat(16_384) } },
    { name: 'form', code: malformed, detail: segments, tail: '*' },
    { name: 'JOSE header', code: malformed, detail: crit, header: { crit: ['exp'] } },
    { name: 'typ', code: 'token_type_refused', header: { typ: 'logout+jwt' } },
    { name: 'issuer', code: 'token_issuer_untrusted', claims: { iss: 'https://unknown.example' } },
    { name: 'key', code: 'token_key_unknown', header: { kid: 'unknown' } },
    { name: 'signature', code: 'token_signature_invalid', isForged: true },
    { name: 'exp', code: 'token_expired', claims: { exp: NOW - 60 } },
    { name: 'nbf', code: 'token_not_yet_valid', claims: { nbf: NOW + 60 } },
    { name: 'iat', ...late, claims: { iat: NOW + 120 } },
    { name: 'audience', code: 'token_audience_mismatch', claims: { aud: 'https://other.example.com' } },
    { name: 'rules for every token', ...noRule, claims: { dept: 'HR' } },
    { name: 'rules of the route', code: 'claims_insufficient', claims: { level: 1 } },
  ];

  let known: SigningKey;
  let stranger: SigningKey;

  beforeAll(async () => {
    known = await generateSigningKey('ES256', 'known');
    stranger = await generateSigningKey('ES256', 'known');
  });

  function present(...defects: readonly Defect[]): Promise<unknown> {
    const iss = 'https://issuer.example';
    const good = { iss, aud: AUDIENCE, sub: 'alice', iat: NOW, exp: NOW + 300, dept: 'IT', level: 4 };
    const { privateKey } = defects.some(({ isForged }) => isForged) ? stranger : known;
    const token = forge({
      header: Object.assign(
        { alg: 'ES256', kid: 'known', typ: 'JWT' },
        ...defects.map(({ header }) => header),
      ),
      payload: Object.assign(good, ...defects.map(({ claims }) => claims)),
      signature: (input) => sign('sha256', input, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
    });
    const authenticator = create([{ issuer: iss, jwks: { keys: [known.publicJwk] } }], {
      claims: { dept: 'IT' },
      clock: { now: () => NOW * 1000 },
    });
    return authenticator.verify(token + defects.map(({ tail = '' }) => tail).join(''), { level: 4 });
  }

  it('a token without a defect is accepted', async () => {
    expect(await outcome(present())).toBe('accepted');
  });

  it.each(
    DEFECTS.flatMap((first, index) =>
      [first, ...DEFECTS.slice(index + 1)].map((second) => ({
        first,
        second,
        title: `${first.name} < ${second.name}`,
      })),
    ),
  )('$title', async ({ first, second }) => {
    const error = await present(second, first).catch((thrown: unknown) => thrown);
    if (!isAuthError(error)) throw new Error('was not refused');
    expect(error.code).toBe(first.code);
    if (first.detail !== undefined) expect(error.detail).toBe(first.detail);
  });
});
