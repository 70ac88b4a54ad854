// Options of remote validation: an option that would send tokens to the wrong place, or let one
// pass by accident, is a ConfigError with its path.
import { generateSigningKey } from '@latchkey/testing';
import { beforeAll, describe, expect, expectTypeOf, it } from 'vitest';
import { ConfigError } from '../../src/errors.ts';
import {
  type AuthenticatorOptions,
  createAuthenticator,
  createMemoryStore,
  type JsonObject,
  type RemoteOptions,
} from '../../src/index.ts';
import {
  type IntrospectionRemoteOptions,
  readRemote,
  type SubjectRemoteOptions,
} from '../../src/remote/options.ts';
import { defined } from '../support/defined.ts';

const URL_OF_IT = 'https://login.example.com/validate';
const CLIENT = { id: 'me', secret: { name: 'idp', key: 'secret' } };

let publicJwk: JsonObject;
beforeAll(async () => {
  ({ publicJwk } = await generateSigningKey());
});

/** The path that is complained of; undefined for options that are fine. */
function complaint(make: () => unknown): string | undefined {
  try {
    make();
    return undefined;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.message.startsWith(`${error.path}: `)).toBe(true);
    return error.path;
  }
}

/** The path that an authenticator with this remote endpoint complains of. */
function remotePath(remote: unknown, others: Partial<AuthenticatorOptions> = {}): string | undefined {
  const options = { keySets: [], audience: null, remote, ...others } as AuthenticatorOptions;
  return complaint(() => createAuthenticator(options));
}

const withKeys = () => ({ keySets: [{ jwks: { keys: [publicJwk] } }] });

describe('alone', () => {
  it('needs a url and nothing else', () => {
    expect(remotePath({ url: URL_OF_IT })).toBeUndefined();
    expect(readRemote({ url: URL_OF_IT }, true)).toMatchObject({
      onReject: 'deny',
      onError: 'deny',
      timeoutMs: 2_000,
      cacheForMs: 0,
      client: undefined,
      issuer: undefined,
    });
  });

  it.each(['onReject', 'onError'])("cannot say %s: 'next'", (name) => {
    expect(remotePath({ url: URL_OF_IT, [name]: 'deny' })).toBeUndefined();
    expect(remotePath({ url: URL_OF_IT, [name]: 'next' })).toBe(`remote.${name}`);
  });

  it('no keyset and no endpoint is an error', () => {
    expect(remotePath(undefined)).toBe('remote');
  });
});

describe('S50: next to keysets', () => {
  it.each<[title: string, remote: object, path: string]>([
    ['neither', {}, 'remote.onReject'],
    ['onReject only', { onReject: 'deny' }, 'remote.onError'],
    ['onError only', { onError: 'deny' }, 'remote.onReject'],
    ['another word', { onReject: 'allow', onError: 'deny' }, 'remote.onReject'],
    ['true', { onReject: 'deny', onError: true }, 'remote.onError'],
    ['null', { onReject: null, onError: 'deny' }, 'remote.onReject'],
    ["the seed's word", { onReject: 'fallthrough', onError: 'deny' }, 'remote.onReject'],
  ])('both have to be said: %s', (_, remote, path) => {
    expect(remotePath({ url: URL_OF_IT, ...remote }, withKeys())).toBe(path);
  });

  it.each([
    ['deny', 'deny'],
    ['deny', 'next'],
    ['next', 'deny'],
    ['next', 'next'],
  ])('onReject %s and onError %s', (onReject, onError) => {
    expect(remotePath({ url: URL_OF_IT, onReject, onError }, withKeys())).toBeUndefined();
  });

  it('the deprecated keys count as well', () => {
    const keys = [{ keyId: 'k', algorithm: 'RS256', secret: { name: 'k' } }] as const;
    expect(remotePath({ url: URL_OF_IT }, { keys, secrets: createMemoryStore() })).toBe('remote.onReject');
  });
});

describe('D15: url', () => {
  it.each([
    'https://login.example.com',
    'https://login.example.com:8443/a/b?key=1',
    'http://127.0.0.1:8080/validate',
    'http://127.255.3.4/',
    'http://127.1/',
    'http://2130706433/',
    'http://localhost:1/x',
    'http://[::1]:3000/',
    'http://LOCALHOST/',
  ])('%s is fine', (url) => {
    expect(remotePath({ url })).toBeUndefined();
  });

  it.each([
    'http://login.example.com/validate',
    'http://10.0.0.1/',
    'http://192.168.1.1/',
    'http://0.0.0.0/',
    'http://127.0.0.1.example.com/',
    'http://127.0.0.example/',
    'http://localhost.example.com/',
    'http://notlocalhost/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::]/',
    'http://128.0.0.1/',
    'ftp://login.example.com/',
    'file:///etc/passwd',
    'data:application/json,{"sub":"root"}',
    'javascript:0',
    'https://user:secret@login.example.com/',
    'https://user@login.example.com/',
    'http://user:secret@127.0.0.1/',
    '/validate',
    'login.example.com',
    'https://',
    '',
    ' ',
  ])('%s is refused', (url) => {
    expect(remotePath({ url })).toBe('remote.url');
  });

  it.each([undefined, null, 5, true, {}, new URL(URL_OF_IT)])('%s is no string', (url) => {
    expect(remotePath({ url })).toBe('remote.url');
  });

  it('allowHttp permits another machine, and nothing but http', () => {
    expect(remotePath({ url: 'http://login.example.com/', allowHttp: true })).toBeUndefined();
    expect(remotePath({ url: 'ftp://login.example.com/', allowHttp: true })).toBe('remote.url');
    expect(remotePath({ url: 'http://a:b@login.example.com/', allowHttp: true })).toBe('remote.url');
    expect(remotePath({ url: 'http://login.example.com/', allowHttp: 'true' })).toBe('remote.allowHttp');
    expect(remotePath({ url: 'http://login.example.com/', allowHttp: false })).toBe('remote.url');
  });

  it('no credentials are repeated', () => {
    expect(() => readRemote({ url: 'https://user:hunter2@login.example.com/' }, true)).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('hunter2') }),
    );
  });
});

describe('contract', () => {
  const secrets = createMemoryStore();

  it('introspection needs a client and a store', () => {
    const remote = { url: URL_OF_IT, contract: 'introspection', client: CLIENT };
    expect(remotePath(remote, { secrets })).toBeUndefined();
    expect(remotePath(remote)).toBe('remote.client');
    expect(remotePath(remote, { externalSecrets: secrets })).toBe('remote.client');
    expect(remotePath({ url: URL_OF_IT, contract: 'introspection' }, { secrets })).toBe('remote.client');
  });

  it.each([undefined, 'subject'])('a client without introspection is a mistake: %s', (contract) => {
    expect(remotePath({ url: URL_OF_IT, ...defined({ contract }), client: CLIENT }, { secrets })).toBe(
      'remote.client',
    );
  });

  it.each<[title: string, client: unknown, path: string]>([
    ['no object', 'me:secret', 'remote.client'],
    ['null', null, 'remote.client'],
    ['no id', { secret: CLIENT.secret }, 'remote.client.id'],
    ['an empty id', { ...CLIENT, id: '' }, 'remote.client.id'],
    ['the secret itself', { ...CLIENT, secret: 'hunter2' }, 'remote.client.secret'],
    ['no secret', { id: 'me' }, 'remote.client.secret'],
    ['no key', { ...CLIENT, secret: { name: 'idp' } }, 'remote.client.secret.key'],
    ['no name', { ...CLIENT, secret: { key: 'secret' } }, 'remote.client.secret.name'],
    ['a path', { ...CLIENT, secret: { name: '../idp', key: 'secret' } }, 'remote.client.secret.name'],
    ['a path', { ...CLIENT, secret: { name: 'idp', key: 'a/b' } }, 'remote.client.secret.key'],
    ['something else', { ...CLIENT, password: 'hunter2' }, 'remote.client.password'],
  ])('a client that is not one: %s', (_, client, path) => {
    expect(remotePath({ url: URL_OF_IT, contract: 'introspection', client }, { secrets })).toBe(path);
  });

  it('unsafeMissingAudience is for introspection only', () => {
    const remote = { url: URL_OF_IT, contract: 'introspection', client: CLIENT };
    for (const [value, path] of [
      [true, undefined],
      [false, undefined],
      ['true', 'remote.unsafeMissingAudience'],
    ] as const)
      expect(remotePath({ ...remote, unsafeMissingAudience: value }, { secrets })).toBe(path);
    expect(remotePath({ url: URL_OF_IT, unsafeMissingAudience: true })).toBe('remote.unsafeMissingAudience');
  });

  it.each(['Introspection', 'rfc7662', true, null, 7])('is not %s', (contract) => {
    expect(remotePath({ url: URL_OF_IT, contract })).toBe('remote.contract');
  });
});

describe('the others', () => {
  it.each<[name: string, value: unknown]>([
    ['timeout', '0s'],
    ['timeout', '31s'],
    ['timeout', 2000],
    ['timeout', 'soon'],
    ['cacheFor', 60],
    ['cacheFor', '-1s'],
    ['cacheFor', true],
    ['issuer', ''],
    ['issuer', 5],
    ['tls', 'none'],
    ['allowHttp', 1],
    ['cache', '5s'],
    ['onUnavailable', 'next'],
    ['URL', URL_OF_IT],
  ])('%s: %s is refused by its path', (name, value) => {
    expect(remotePath({ url: URL_OF_IT, [name]: value })).toBe(`remote.${name}`);
  });

  it.each([null, 'https://login.example.com', [], true, new Map()])('%s are no options', (remote) => {
    expect(remotePath(remote)).toBe('remote');
  });

  it('a snapshot is taken', () => {
    const remote = { url: URL_OF_IT, timeout: '1s' };
    const settings = readRemote(remote, true);
    remote.timeout = '30s';
    expect(settings?.timeoutMs).toBe(1_000);
    expect(Object.isFrozen(settings)).toBe(true);
  });
});

describe('types', () => {
  it('a client is allowed with introspection only', () => {
    expectTypeOf<{ url: string }>().toExtend<RemoteOptions>();
    expectTypeOf<{ url: string; contract: 'introspection' }>().not.toExtend<RemoteOptions>();
    expectTypeOf<{ url: string; client: typeof CLIENT }>().not.toExtend<RemoteOptions>();
    expectTypeOf<{
      url: string;
      contract: 'introspection';
      client: typeof CLIENT;
    }>().toExtend<IntrospectionRemoteOptions>();
    expectTypeOf<{ url: string; unsafeMissingAudience: true }>().not.toExtend<RemoteOptions>();
    expectTypeOf<SubjectRemoteOptions['onReject']>().toEqualTypeOf<'next' | 'deny' | undefined>();
    expectTypeOf<AuthenticatorOptions['remote']>().toEqualTypeOf<RemoteOptions | undefined>();
  });
});
