// D16: a token with the subject of the system needs a key of the system. Every other
// else who is called so is somebody else.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type AuthenticatorOptions,
  createAuthenticator,
  createMemoryStore,
  isAuthError,
  type KeysetOptions,
  refusalOf,
} from '../../src/index.ts';
import type { JsonValue } from '../../src/values/json.ts';

const SYSTEM = 'https://system.example';
const USERS = 'https://users.example';

let system: SigningKey;
let users: SigningKey;
beforeAll(async () => {
  [system, users] = await Promise.all([
    generateSigningKey('RS256', 'system-key'),
    generateSigningKey('RS256', 'users-key'),
  ]);
});

const closers: (() => Promise<unknown>)[] = [];
const servers: Server[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

type Claims = { readonly [name: string]: JsonValue | undefined };

function token(key: SigningKey, claims: Claims): Promise<string> {
  return mint(key, { exp: Math.floor(Date.now() / 1000) + 300, ...claims });
}

const keySets = (): readonly KeysetOptions[] => [
  { issuer: USERS, jwks: { keys: [users.publicJwk] } },
  { issuer: SYSTEM, jwks: { keys: [system.publicJwk] }, system: true },
];

function start(options: Partial<AuthenticatorOptions> = {}) {
  const authenticator = createAuthenticator({
    keySets: keySets(),
    audience: null,
    systemSubject: 'okera',
    ...options,
  });
  closers.push(authenticator.close);
  return authenticator;
}

/** Who a token is of, or how it was refused. */
async function outcome(options: Partial<AuthenticatorOptions>, one: string): Promise<string | undefined> {
  try {
    return (await start(options).verify(one)).subject;
  } catch (error) {
    if (isAuthError(error)) return `${error.status} ${error.code}`;
    throw error;
  }
}

const INVALID = '401 token_claims_invalid';

describe('D16: a token of the system’s subject', () => {
  it('is good from a keyset that is the system’s', async () => {
    expect(await outcome({}, await token(system, { iss: SYSTEM, sub: 'okera' }))).toBe('okera');
    expect(await outcome({}, await token(system, { iss: SYSTEM, sub: 'worker' }))).toBe('worker');
  });

  it('is refused from another, whatever else it says', async () => {
    for (const claims of [{}, { groups: ['root'] }, { system: true }, { groups: [] }, { azp: SYSTEM }])
      expect(await outcome({}, await token(users, { iss: USERS, sub: 'okera', ...claims }))).toBe(INVALID);
    expect(await outcome({}, await token(users, { iss: USERS, sub: 'alice' }))).toBe('alice');
  });

  it('is refused with the issuer of one and the key of the other', async () => {
    for (const [key, iss] of [
      [users, SYSTEM],
      [system, USERS],
    ] as const) {
      for (const header of [{}, { kid: 'system-key' }, { kid: 'users-key' }, { kid: undefined }]) {
        const exp = Math.floor(Date.now() / 1000) + 300;
        expect(await outcome({}, await mint(key, { iss, sub: 'okera', exp }, header))).toMatch(/^401 /);
      }
    }
  });

  it('is refused where no keyset is the system’s', async () => {
    const some = keySets().map((keyset) => ({ ...keyset, system: false }) as KeysetOptions);
    expect(await outcome({ keySets: some }, await token(system, { iss: SYSTEM, sub: 'okera' }))).toBe(
      INVALID,
    );
    const none = keySets().map(({ system: _, ...keyset }) => keyset as KeysetOptions);
    expect(await outcome({ keySets: none }, await token(system, { iss: SYSTEM, sub: 'okera' }))).toBe(
      INVALID,
    );
  });

  it('is another one’s as soon as one character is another', async () => {
    for (const sub of ['Okera', 'OKERA', 'okera ', ' okera', 'оkera', 'okera\u200b', 'oke', 'okera1'])
      expect(await outcome({}, await token(users, { iss: USERS, sub }))).toBe(sub);
    for (const sub of [['okera'], { okera: true }, 5, null])
      expect(await outcome({}, await token(users, { iss: USERS, sub }))).toBe(INVALID);
  });

  it('is like any other where no subject is special', async () => {
    const authenticator = createAuthenticator({ keySets: keySets(), audience: null });
    closers.push(authenticator.close);
    const principal = await authenticator.verify(await token(users, { iss: USERS, sub: 'okera' }));
    expect(principal.subject).toBe('okera');
  });

  it('is refused from a keyset without issuer, and by the keys of the deprecated list', async () => {
    const open = { jwks: { keys: [users.publicJwk] }, unsafeOtherIssuers: true };
    const anybody = [...keySets(), open] as const;
    expect(await outcome({ keySets: anybody }, await token(users, { sub: 'okera' }))).toBe(INVALID);
    expect(await outcome({ keySets: anybody }, await token(users, { iss: 'https://x', sub: 'okera' }))).toBe(
      INVALID,
    );
    const pem = await import('node:crypto').then(({ createPublicKey }) =>
      createPublicKey(users.privateKey as never).export({ type: 'spki', format: 'pem' }),
    );
    const options = {
      keySets: [],
      keys: [{ keyId: 'users-key', algorithm: 'RS256', secret: { name: 'users' } }],
      secrets: createMemoryStore({ users: { 'public.key': pem.toString() } }),
    } as const;
    expect(await outcome(options, await token(users, { sub: 'alice' }))).toBe('alice');
    expect(await outcome(options, await token(users, { sub: 'okera' }))).toBe(INVALID);
  });

  it('of two keysets of one issuer, the one whose key it was counts', async () => {
    const shared = [
      { issuer: SYSTEM, jwks: { keys: [users.publicJwk] } },
      { issuer: SYSTEM, jwks: { keys: [system.publicJwk] }, system: true },
    ] as const;
    for (const order of [shared, [shared[1], shared[0]] as const]) {
      expect(await outcome({ keySets: order }, await token(system, { iss: SYSTEM, sub: 'okera' }))).toBe(
        'okera',
      );
      expect(await outcome({ keySets: order }, await token(users, { iss: SYSTEM, sub: 'okera' }))).toBe(
        INVALID,
      );
    }
  });

  it.each(['secret', 'publicKeys', 'skipValidation'] as const)(
    'a system keyset may be of any source: %s',
    async (source) => {
      const { createPublicKey } = await import('node:crypto');
      const pem = createPublicKey(system.privateKey as never)
        .export({ type: 'spki', format: 'pem' })
        .toString();
      const jwks = JSON.stringify({ keys: [system.publicJwk] });
      const keyset: KeysetOptions =
        source === 'publicKeys'
          ? { issuer: SYSTEM, publicKeys: [{ pem, algorithm: 'RS256' }], system: true }
          : {
              issuer: SYSTEM,
              secret: { name: 'keys' },
              system: true,
              skipValidation: source === 'skipValidation',
            };
      const options = { keySets: [keyset], secrets: createMemoryStore({ keys: { 'jwks.json': jwks } }) };
      expect(await outcome(options, await token(system, { iss: SYSTEM, sub: 'okera' }))).toBe('okera');
    },
  );

  it('is refused in every mode; permissive makes it anonymous', async () => {
    const authorization = `Bearer ${await token(users, { iss: USERS, sub: 'okera' })}`;
    const request = { headers: { authorization }, rawHeaders: ['Authorization', authorization] };
    for (const mode of ['strict', 'optional'] as const)
      await expect(start({ mode }).authenticate(request)).rejects.toMatchObject({
        code: 'token_claims_invalid',
      });
    await expect(start({ mode: 'permissive' }).authenticate(request)).resolves.toBeUndefined();
    expect(refusalOf(request)).toMatchObject({ code: 'token_claims_invalid' });
  });

  it('is refused before anybody is asked for its groups', async () => {
    let asked = 0;
    const directory = {
      description: 'test',
      resolve: async () => {
        asked++;
        return ['root'];
      },
    };
    expect(await outcome({ groups: { directory } }, await token(users, { iss: USERS, sub: 'okera' }))).toBe(
      INVALID,
    );
    expect(asked).toBe(0);
  });
});

describe('D16: from a remote endpoint', () => {
  async function endpoint(body: object): Promise<string> {
    const server = createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  it.each([
    [{ sub: 'okera' }],
    [{ sub: 'okera', iss: SYSTEM }],
    [{ sub: 'okera', iss: SYSTEM, groups: ['root'] }],
  ])('it is refused, alone and before keysets: %j', async (body) => {
    const url = await endpoint(body);
    const one = await token(users, { iss: USERS, sub: 'alice' });
    expect(await outcome({ keySets: [], remote: { url } }, one)).toBe(INVALID);
    expect(await outcome({ keySets: [], remote: { url, issuer: SYSTEM } }, one)).toBe(INVALID);
    for (const next of ['next', 'deny'] as const)
      expect(await outcome({ remote: { url, onReject: next, onError: next } }, one)).toBe(INVALID);
  });

  it('introspection does not make it either', async () => {
    const remote = {
      url: await endpoint({ active: true, sub: 'okera', iss: SYSTEM }),
      contract: 'introspection',
      client: { id: 'me', secret: { name: 'idp', key: 'secret' } },
    } as const;
    const secrets = createMemoryStore({ idp: { secret: 's' } });
    expect(await outcome({ keySets: [], secrets, remote }, 'opaque')).toBe(INVALID);
  });

  it('reserved groups are not granted by it', async () => {
    const groups = { reserved: ['root'] };
    const said = { sub: 'alice', iss: SYSTEM, groups: ['root', 'dev'] };
    const remote = { url: await endpoint(said), issuer: SYSTEM };
    const principal = await start({ keySets: [], remote, groups }).verify('opaque');
    expect(principal.groups).toEqual(['dev']);
    const quiet = { url: await endpoint({ sub: 'alice' }) };
    const taken = await start({ keySets: [], remote: quiet, groups }).verify(
      await token(users, { sub: 'alice', groups: ['root', 'ops'] }),
    );
    expect(taken.groups).toEqual(['ops']);
  });
});
