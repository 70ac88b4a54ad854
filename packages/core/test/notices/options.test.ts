// Options of receivers: what is refused at start, and which authenticators can have a receiver.
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateSigningKey, mint } from '@latchkey/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAuthenticator, createEventReceiver, requireAny } from '../../src/index.ts';
import { createBench, form, ISSUER, LOGOUT } from './bench.ts';

const key = await generateSigningKey('ES256');
const KEYSET = { issuer: ISSUER, jwks: { keys: [key.publicJwk] } };
const GOOD = { keySets: [KEYSET], audience: 'api', revocation: {} };
const logout = { clientId: 'web' };

describe('refused at start', () => {
  const authenticator = createAuthenticator(GOOD);
  const receiver = (options: object, of: unknown = authenticator) =>
    createEventReceiver(of as never, options as never);

  it.each<[message: RegExp, build: () => unknown]>([
    [/^options: expected options of a receiver/, () => receiver(undefined as never)],
    [/^options: expected logout, securityEvents or both/, () => receiver({})],
    [/^logout\.clientId: /, () => receiver({ logout: {} })],
    [/^logout\.clientId/, () => receiver({ logout: { clientId: [] } })],
    [/^logout\.ends: /, () => receiver({ logout: { ...logout, ends: 'all' } })],
    [/^logout\.drafts: expected true/, () => receiver({ logout: { ...logout, drafts: false } })],
    [/^securityEvents\.audience: /, () => receiver({ securityEvents: { audience: null } })],
    [/clientID.*clientId/, () => receiver({ logout: { clientID: 'web' } })],
    [/^tokenIssuers: /, () => receiver({ logout, tokenIssuers: ['a'] })],
    [/^tokenIssuers\.a: /, () => receiver({ logout, tokenIssuers: { a: 5 } })],
    [/^onEvent: expected a function/, () => receiver({ logout, onEvent: {} })],
    [/^keySets\[0\]\.issuer: is required/, () => receiver({ logout, keySets: [{ jwks: KEYSET.jwks }] })],
    [
      /^keySets\[0\]\.audience: is for access tokens/,
      () => receiver({ logout, keySets: [{ ...KEYSET, audience: 'a' }] }),
    ],
    [
      /^keySets\[0\]\.typ: is for access tokens/,
      () => receiver({ logout, keySets: [{ ...KEYSET, typ: 'JWT' }] }),
    ],
    [
      /^keySets\[0\]\.system: is for access tokens/,
      () => receiver({ logout, keySets: [{ ...KEYSET, system: true }] }),
    ],
    [/^authenticator: expected an authenticator/, () => receiver({ logout }, GOOD)],
    [
      /^authenticator: expected .* got one that the application has written/,
      () => receiver({ logout }, { ...authenticator }),
    ],
    [
      /^revocation: is needed/,
      () => receiver({ logout }, createAuthenticator({ keySets: [KEYSET], audience: 'api' })),
    ],
  ])('%s', (message, build) => {
    expect(build).toThrow(message);
  });
});

it('without revocation, onEvent does all', async () => {
  const { key: signer, logout: make } = await createBench();
  const told: string[] = [];
  const keySets = [{ issuer: ISSUER, jwks: { keys: [signer.publicJwk] } }];
  // The clock of the bench is another one.
  const authenticator = createAuthenticator({
    keySets,
    audience: 'api',
    clock: { now: () => 1_900_000_000_000 },
  });
  const receiver = createEventReceiver(authenticator, { logout, onEvent: ({ kind }) => told.push(kind) });
  expect((await receiver.receive(form(await make()))).status).toBe(200);
  expect(told).toEqual(['logout']);
});

describe('an authenticator', () => {
  const now = () => Math.floor(Date.now() / 1000);
  const access = (by = key, iss = ISSUER) =>
    mint(by, { iss, aud: 'api', sub: 'alice', sid: 's1', iat: now(), exp: now() + 60 });
  const logoutOf = (by = key, iss = ISSUER) =>
    mint(
      by,
      { iss, aud: 'web', sid: 's1', iat: now(), exp: now() + 60, jti: 'j1', events: { [LOGOUT]: {} } },
      { typ: 'logout+jwt' },
    );
  const codeOf = (token: Promise<unknown>) =>
    token.then(
      () => 'accepted',
      (error) => String(error.code),
    );

  it('that is combined: a logout ends the tokens of those whose keys have verified it', async () => {
    const other = await generateSigningKey('ES256');
    const issuer = 'https://other.example.com';
    const first = createAuthenticator(GOOD);
    const second = createAuthenticator({
      ...GOOD,
      keySets: [{ issuer, jwks: { keys: [other.publicJwk] } }],
    });
    const receiver = createEventReceiver(requireAny({ first, second }), { logout });
    const [ofFirst, ofSecond] = [await access(), await access(other, issuer)];
    expect((await receiver.receive(form(await logoutOf(other, issuer)))).status).toBe(200);
    expect([await codeOf(first.verify(ofFirst)), await codeOf(second.verify(ofSecond))]).toEqual([
      'accepted',
      'token_revoked',
    ]);
    // The keys of one do not speak for the issuer of the other.
    expect((await receiver.receive(form(await logoutOf(other)))).status).toBe(400);
    expect(await codeOf(first.verify(ofFirst))).toBe('accepted');
  });

  it('of a descriptor: the keysets in force verify', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'latchkey-notices-'));
    const descriptor = join(directory, 'service.yaml');
    const write = (options: object) =>
      writeFile(descriptor, `${JSON.stringify({ service: { jwt: options } })}\n`);
    await write(GOOD);
    const authenticator = createAuthenticator({ descriptor });
    onTestFinished(() => authenticator.close());
    const receiver = createEventReceiver(authenticator, { logout });
    const next = await generateSigningKey('ES256', 'next');
    expect((await receiver.receive(form(await logoutOf(next)))).status).toBe(400);
    await write({ ...GOOD, keySets: [{ issuer: ISSUER, jwks: { keys: [next.publicJwk] } }] });
    await authenticator.reload();
    const token = await access(next);
    expect(await codeOf(authenticator.verify(token))).toBe('accepted');
    expect((await receiver.receive(form(await logoutOf(next)))).status).toBe(200);
    expect(await codeOf(authenticator.verify(token))).toBe('token_revoked');
  });
});
