// The tokens that cases name: each correct, or wrong in one way. Issuers that listen on local ports
// make them for every run.
import { createHmac, createPublicKey, sign } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createClock,
  createDpopKey,
  createIssuer,
  type DpopKey,
  forge,
  generateSigningKey,
  mint,
  type SigningKey,
  type TestIssuer,
} from '@latchkey/testing';
import { certificates, derOf } from './certificates.ts';
import { createSigners, type Signers } from './signers.ts';

/**
 * The sources of tokens: a trusted issuer, one that cannot be reached, an untrusted key, and the
 * signers of replies; and a folder.
 */
export interface World {
  readonly trusted: TestIssuer;
  readonly down: TestIssuer;
  readonly stranger: SigningKey;
  readonly signers: Signers;
  /** The keys that tokens are bound to, and one that none is bound to. */
  readonly dpop: { readonly key: DpopKey; readonly rsa: DpopKey; readonly another: DpopKey };
  /** A folder for files. It is removed with the world. */
  readonly directory: string;
  readonly close: () => Promise<void>;
}

/** A text in every payload: if a refusal contains it, token data has leaked. */
export const canary = 'canary-5f1d7c';

/** Starts the issuers. */
export async function createWorld(): Promise<World> {
  const trusted = await createIssuer({ algorithm: 'RS256' });
  const down = await createIssuer({ clock: createClock() });
  down.fail({ kind: 'status', status: 503 });
  const stranger = await generateSigningKey('RS256', trusted.key.kid);
  const signers = await createSigners();
  const dpop = {
    key: await createDpopKey(),
    rsa: await createDpopKey('RS256'),
    another: await createDpopKey(),
  };
  const directory = await mkdtemp(join(tmpdir(), 'latchkey-conformance-'));
  return {
    trusted,
    down,
    stranger,
    signers,
    dpop,
    directory,
    close: async () => {
      await Promise.all([trusted.close(), down.close(), signers.close()]);
      await rm(directory, { recursive: true });
    },
  };
}

type Maker = (world: World) => string | Promise<string>;

const now = () => Math.floor(Date.now() / 1000);

const claimsOf = ({ trusted }: World) => ({
  iss: trusted.issuer,
  aud: trusted.audience,
  sub: 'alice',
  canary,
  iat: now(),
  exp: now() + 300,
});

/**
 * Signs any header and payload bytes with the trusted key: tokens that only the owner of the key
 * can make, and that must still be refused.
 */
const signed =
  (change: (world: World) => { header?: unknown; payload?: unknown }): Maker =>
  (world) => {
    const { key } = world.trusted;
    return forge({
      header: { alg: key.alg, kid: key.kid, typ: 'JWT' },
      payload: claimsOf(world),
      ...change(world),
      signature: (input) => sign('sha256', input, key.privateKey),
    });
  };

const signedBy =
  (signature: () => Buffer): Maker =>
  (world) => {
    const { kid, alg } = world.trusted.key;
    return forge({ header: { alg, kid, typ: 'JWT' }, payload: claimsOf(world), signature });
  };

/** Members of an object, in JSON. */
const members = (count: number) => Array.from({ length: count }, (_, at) => `"m${at}":${at}`).join();

const header = (change: object): Maker =>
  signed(({ trusted: { key } }) => ({ header: { alg: key.alg, kid: key.kid, typ: 'JWT', ...change } }));

const payloadText = (write: (json: string) => string): Maker =>
  signed((world) => ({ payload: write(JSON.stringify(claimsOf(world))) }));

const claims =
  (change: Parameters<TestIssuer['mint']>[0]): Maker =>
  ({ trusted }) =>
    trusted.mint({ canary, ...change });

/** The issuer of a second keyset, which has the key of the stranger. */
export const PARTNER = 'https://partner.example';

const LOGOUT = { 'http://schemas.openid.net/event/backchannel-logout': {} };

const partner =
  (change: object = {}, typ = 'at+jwt'): Maker =>
  ({ stranger }) => {
    const good = { iss: PARTNER, aud: 'https://orders.example.com', sub: 'alice', dept: 'IT', canary };
    return mint(stranger, { ...good, iat: now(), exp: now() + 300, ...change }, { typ });
  };

const hmac =
  (secret: (world: World) => string | Buffer): Maker =>
  (world) =>
    forge({
      header: { alg: 'HS256', kid: world.trusted.key.kid, typ: 'JWT' },
      payload: claimsOf(world),
      signature: (input) => createHmac('sha256', secret(world)).update(input).digest(),
    });

const publicPem = ({ trusted }: World) =>
  createPublicKey(trusted.key.privateKey).export({ type: 'spki', format: 'pem' });

/** The tokens, by the names that cases use. */
export const tokens = {
  good: claims({}),
  'good, friends:read': claims({ scope: 'openid friends:read' }),
  'good, friends:read and friends:write': claims({ scope: 'friends:write friends:read' }),
  'good, scp': claims({ scp: ['friends:read'] }),
  'good, scp as text': claims({ scp: 'openid friends:read' }),
  'good, scope and scp': claims({ scope: 'friends:read', scp: ['friends:write'] }),
  'good, permissions': claims({ permissions: ['friends:read'] }),
  'good, friends:all': claims({ scope: 'friends:all' }),
  'good, friends:read and admin': claims({ scope: 'friends:read', roles: ['admin'] }),
  'scp of numbers': claims({ scp: [4] }),
  'good, notfriends:read': claims({ scope: 'notfriends:read friends:readonly' }),
  'good, scope as array': claims({ scope: ['friends:read'] }),
  'good, admin and dev': claims({ roles: ['ops', 'dev', 'admin'] }),
  'good, admin only': claims({ roles: ['admin'] }),
  'good, roles as text': claims({ roles: 'admin dev' }),
  'good, IT': claims({ dept: 'IT', internal: true, floor: 4 }),
  'good, it': claims({ dept: 'it', internal: true, floor: 4 }),
  'good, IT, internal as text': claims({ dept: 'IT', internal: 'true', floor: 4 }),
  'good, IT, floor as text': claims({ dept: 'IT', internal: true, floor: '4' }),
  'good, dept null': claims({ dept: null }),
  'good, bldg 4': claims({ bldg: 4 }),
  'good, bldg 5': claims({ bldg: 5 }),
  'good, bldg null': claims({ bldg: null }),
  'good, my-subject-456': claims({ account: 'my-subject-456' }),
  'good, not-my-subject-456': claims({ account: 'not-my-subject-456' }),
  'good, my-subject-456 with a newline': claims({ account: 'my-subject-456\n' }),
  'good, audience in a list': claims({ aud: ['https://other.example', 'https://api.example.com'] }),
  'good, also for orders': claims({ aud: ['https://api.example.com', 'https://orders.example.com'] }),
  'only for files': claims({ aud: 'https://api.example.com/files' }),
  'only for files, friends:read': claims({ aud: 'https://api.example.com/files', scope: 'friends:read' }),
  'good, also for files': claims({ aud: ['https://api.example.com', 'https://api.example.com/files'] }),
  'only for orders': claims({ aud: 'https://orders.example.com' }),
  'partner, good': partner(),
  'partner, also for this service': partner({
    aud: ['https://api.example.com', 'https://orders.example.com'],
  }),
  'partner, for this service': partner({ aud: 'https://api.example.com' }),
  'partner, of another dept': partner({ dept: 'HR' }),
  'partner, of another type': partner({}, 'JWT'),
  'partner, old': partner({ iat: now() - 700, exp: now() + 300 }),
  'partner, for too long': partner({ exp: now() + 7200 }),
  'for too long': claims({ exp: now() + 900 }),
  'good, typ at+jwt': header({ typ: 'application/at+jwt' }),
  'good, no typ': header({ typ: undefined }),
  'good, no kid': header({ kid: undefined }),

  'good, banned': claims({ roles: ['banned', 'dev'] }),
  'good, admin, dev and no other': claims({ roles: ['dev', 'admin'] }),
  'good, nested admin': claims({ realm_access: { roles: ['admin'] } }),
  'good, admin in a dotted claim': claims({ 'realm_access.roles': ['admin'] }),
  'good, tenant acme': claims({ tenant: 'acme' }),
  'good, IT in building 4': claims({ dept: 'IT', bldg: 4 }),
  'good, IT in building 5': claims({ dept: 'IT', bldg: 5 }),
  'good, IT in building "4"': claims({ dept: 'IT', bldg: '4' }),

  'good, mfa': claims({ acr: 'urn:example:mfa', auth_time: now() }),
  'good, mfa long ago': claims({ acr: 'urn:example:mfa', auth_time: now() - 7200 }),
  'good, mfa in the future': claims({ acr: 'urn:example:mfa', auth_time: now() + 3600 }),
  'good, password': claims({ acr: 'urn:example:pwd', auth_time: now() }),
  'good, by the gateway': claims({ client_id: 'app', act: { sub: 'gateway', act: { sub: 'web' } } }),
  'good, by another': claims({ act: { sub: 'other', act: { sub: 'gateway' } } }),
  'act as text': claims({ act: 'gateway' }),

  'revocable, by jti': claims({ jti: 'r-jti' }),
  'revocable, by sid': claims({ sid: 'r-sid' }),
  'revocable, by sub': claims({ sub: 'r-sub' }),
  'revocable, by client_id': claims({ client_id: 'r-client' }),
  'revocable, by azp': claims({ azp: 'r-azp' }),
  'revocable, from the cache': claims({ jti: 'r-cached' }),
  'revocable, of another issuer': claims({ jti: 'r-issuer' }),
  'revocable, of another kind': claims({ jti: 'r-kind' }),
  'bound to the key': (world) => claims({ cnf: world.dpop.key.cnf })(world),
  'bound to an RSA key': (world) => claims({ cnf: world.dpop.rsa.cnf })(world),
  'bound to a key and a certificate': (world) =>
    claims({ cnf: { ...world.dpop.key.cnf, 'x5t#S256': 'A'.repeat(43) } })(world),
  'bound to the certificate': claims({ cnf: certificates.client.cnf }),
  'bound to half a certificate': claims({ cnf: { 'x5t#S256': certificates.client.thumbprint.slice(1) } }),
  'bound to both': (world) => claims({ cnf: { ...world.dpop.key.cnf, ...certificates.client.cnf } })(world),
  'bound to a key': claims({ cnf: { jkt: '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I' } }),
  'good, many claims': payloadText((json) => json.replace('{', `{${members(1000)},`)),
  'good, claims with inherited names': payloadText((json) =>
    json.replace('{', '{"__proto__":{"roles":["admin","dev"]},"constructor":1,"toString":2,'),
  ),
  'good, header with many members': header(JSON.parse(`{${members(500)}}`)),
  expired: claims({ iat: now() - 600, exp: now() - 300 }),
  'not yet valid': claims({ nbf: now() + 300 }),
  'issued in the future': claims({ iat: now() + 300, exp: now() + 600 }),
  'without exp': claims({ exp: undefined }),
  'exp as text': claims({ exp: String(now() + 300) }),
  'exp in milliseconds': claims({ exp: (now() + 300) * 1000 }),
  // Within the skew, so it has not expired.
  'issued after its end': ({ trusted }) => trusted.mint({ iat: now() + 2, exp: now() + 1, canary }),
  'nbf as text': claims({ nbf: String(now()) }),
  'exp beyond a double': payloadText((json) => json.replace(/"exp":\d+/, '"exp":1e400')),
  'sub as number': claims({ sub: 5 }),
  'sid in a list': claims({ sid: ['s1'] }),
  'sub with a newline': claims({ sub: 'alice\nroot' }),
  'other audience': claims({ aud: 'https://other.example' }),
  'audience in other case': claims({ aud: 'https://API.example.com' }),
  'audience that begins alike': claims({ aud: 'https://api.example.com.example' }),
  'without audience': claims({ aud: undefined }),
  'empty audience': claims({ aud: [] }),
  'good, groups admins and dev': claims({ groups: ['admins', 'dev'] }),
  'good, groups as text': claims({ groups: 'admins' }),
  'good, groups as text with a space': claims({ groups: 'admins dev' }),
  'good, groups as number': claims({ groups: 5 }),
  'good, groups as object': claims({ groups: { admins: 'admins' } }),
  'good, groups with a number': claims({ groups: ['admins', 5] }),
  'good, groups elsewhere': claims({ _claim_names: { groups: 'src1' } }),

  'other issuer': claims({ iss: 'https://issuer.example' }),
  'issuer with a slash': ({ trusted }) => trusted.mint({ iss: `${trusted.issuer}/`, canary }),
  'issuer in upper case': ({ trusted }) =>
    trusted.mint({ iss: trusted.issuer.replace('http', 'HTTP'), canary }),
  'issuer in a list': ({ trusted }) => trusted.mint({ iss: [trusted.issuer], canary }),
  'without issuer': claims({ iss: undefined }),
  'issuer down': ({ down }) => down.mint({ canary }),
  'stranger, known kid': (world) => mint(world.stranger, claimsOf(world)),
  'stranger, own kid': (world) => mint(world.stranger, claimsOf(world), { kid: 'stranger' }),
  'stranger, kid __proto__': (world) => mint(world.stranger, claimsOf(world), { kid: '__proto__' }),
  'stranger, kid of a path': (world) => mint(world.stranger, claimsOf(world), { kid: '../../dev/null' }),
  'stranger, URLs of keys': (world) => {
    const jku = `${world.down.issuer}/jwks.json`;
    return mint(world.stranger, claimsOf(world), { jku, x5u: jku });
  },
  'stranger, certificate in the header': (world) =>
    mint(world.stranger, claimsOf(world), { x5c: [derOf('client').toString('base64')] }),
  'stranger, key in the header': (world) =>
    mint(world.stranger, claimsOf(world), { jwk: world.stranger.publicJwk }),

  'alg none': (world) =>
    forge({ header: { alg: 'none', typ: 'JWT' }, payload: claimsOf(world), signature: Buffer.from('x') }),
  'alg nOnE': (world) =>
    forge({ header: { alg: 'nOnE' }, payload: claimsOf(world), signature: Buffer.from('x') }),
  'alg none, no signature': (world) => forge({ header: { alg: 'none' }, payload: claimsOf(world) }),
  'alg __proto__': header({ alg: '__proto__' }),
  'alg rs256': header({ alg: 'rs256' }),
  'alg as list': header({ alg: ['RS256'] }),
  'without alg': header({ alg: undefined }),
  'alg PS256 with an RS256 key': header({ alg: 'PS256' }),
  'HS256 with the public PEM': hmac(publicPem),
  'HS256 with the public JWK': hmac(({ trusted }) => JSON.stringify(trusted.key.publicJwk)),
  'HS256 with an empty secret': hmac(() => ''),

  'payload changed': async (world) => {
    const [head, , signature] = (await world.trusted.mint({ canary })).split('.');
    const payload = Buffer.from(JSON.stringify({ ...claimsOf(world), roles: ['admin', 'dev'] }));
    return `${head}.${payload.toString('base64url')}.${signature}`;
  },
  'signature cut': async (world) => {
    const [head, payload, signature = ''] = (await world.trusted.mint({ canary })).split('.');
    return `${head}.${payload}.${Buffer.from(signature, 'base64url').subarray(0, -8).toString('base64url')}`;
  },
  'signature with a byte more': async (world) => {
    const [head, payload, signature = ''] = (await world.trusted.mint({ canary })).split('.');
    const longer = Buffer.concat([Buffer.from(signature, 'base64url'), Buffer.alloc(1)]);
    return `${head}.${payload}.${longer.toString('base64url')}`;
  },
  'signature of zeros': signedBy(() => Buffer.alloc(256)),
  'signature of another token': async (world) => {
    const [head, payload] = (await world.trusted.mint({ canary })).split('.');
    return `${head}.${payload}.${(await world.trusted.mint({ canary })).split('.')[2]}`;
  },

  dots: () => '.'.repeat(10_000),
  'JWS in JSON': async (world) => {
    const [head, payload, signature] = (await world.trusted.mint({ canary })).split('.');
    return JSON.stringify({ payload, protected: head, signature });
  },
  'two segments': async (world) => (await world.trusted.mint({ canary })).split('.').slice(0, 2).join('.'),
  'four segments': async (world) => `${await world.trusted.mint({ canary })}.e30`,
  'padded signature': async (world) => `${await world.trusted.mint({ canary })}==`,
  // The last character of a 256-byte signature carries four unused bits.
  'unused bits set': async (world) => {
    const token = await world.trusted.mint({ canary });
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    return token.slice(0, -1) + alphabet[alphabet.indexOf(token.at(-1) ?? '') + 1];
  },
  // Just under what a server of Node lets in, and more than an authenticator reads.
  long: claims({ filler: 'x'.repeat(11_500) }),
  'too long': claims({ filler: 'x'.repeat(13_000) }),
  'payload is a list': signed(() => ({ payload: [] })),
  'payload is null': signed(() => ({ payload: null })),
  'payload is not JSON': signed(() => ({ payload: '{"iss":' })),
  'payload with a byte order mark': payloadText((json) => `\ufeff${json}`),
  'payload with invalid UTF-8': signed(() => ({ payload: Buffer.from('{"sub":"\xff"}', 'latin1') })),
  'payload with a repeated member': payloadText((json) => json.replace('{', '{"sub":"root",')),
  'payload with an escaped twin': payloadText((json) => json.replace('{', '{"\\u0073ub":"root",')),
  'payload with a lone surrogate': payloadText((json) => json.replace('alice', '\\ud800')),
  'payload nested deep': payloadText((json) =>
    json.replace('{', `{"deep":${'['.repeat(40)}${']'.repeat(40)},`),
  ),
  crit: header({ crit: ['exp'], exp: 1 }),
  'b64 false': header({ b64: false }),
  zip: header({ zip: 'DEF' }),
  'nested token': header({ cty: 'JWT' }),
  'kid as number': header({ kid: 5 }),
  'kid too long': header({ kid: 'k'.repeat(300) }),
  'typ logout+jwt': header({ typ: 'logout+jwt' }),
  'logout token, no typ': (world) =>
    mint(world.trusted.key, { ...claimsOf(world), jti: 'j1', sid: 's1', events: LOGOUT }, { typ: undefined }),
  'logout token, typ at+jwt': (world) =>
    mint(world.trusted.key, { ...claimsOf(world), jti: 'j1', sid: 's1', events: LOGOUT }, { typ: 'at+jwt' }),
  'security event token, typ JWT': claims({
    events: { 'https://schemas.openid.net/secevent/caep/event-type/session-revoked': {} },
  }),
  'good, events as list': claims({ events: ['party'] }),
  encrypted: () => 'eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AAAA.AAAA.AAAA',
} as const satisfies Record<string, Maker>;

/** The name of a token. */
export type TokenName = keyof typeof tokens;
