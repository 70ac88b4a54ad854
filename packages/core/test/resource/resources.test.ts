// Several resources of one service: which tokens their routes accept, in all ways of asking, and
// which options are refused.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createClock, createIssuer, type TestIssuer } from '@latchkey/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareAuthentication } from '../../src/adapter/decide.ts';
import { compileAccess } from '../../src/decision/access.ts';
import { judgeAccess } from '../../src/decision/authorize.ts';
import {
  type AuthenticatorOptions,
  authorize,
  createAuthenticator,
  isAuthError,
  requireAll,
  route,
} from '../../src/index.ts';
import { endpoint } from '../remote/endpoints.ts';
import { closing, temporaryFolder } from '../support/closing.ts';

const API = 'https://api.example.com';
const FILES = 'https://api.example.com/files';
const MAIL = 'https://api.example.com/mail';
const metadata = (path: string) => `resource_metadata="${API}/.well-known/oauth-protected-resource${path}"`;

let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await createIssuer({ audience: API });
});
afterAll(() => issuer.close());

const several = {
  audience: undefined,
  resource: { url: API },
  resources: { files: { url: FILES }, mail: { url: MAIL } },
  routes: {
    read: { resource: 'files', claims: { scope: 'files:read' } },
    send: { resource: 'mail', claims: { scope: 'mail:send' } },
  },
};

const made = (more: object = {}) => {
  const { audience: _audience, ...options } = { ...issuer.options, ...several, ...more };
  return closing(
    createAuthenticator(('audience' in more ? { ...options, audience: more.audience } : options) as never),
  );
};

const asking = (token?: string) => ({
  method: 'GET',
  url: '/',
  headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
});

/** The code and the metadata of a refusal; `ok` for none. */
const outcome = async (work: Promise<unknown> | (() => unknown)): Promise<string> => {
  try {
    await (typeof work === 'function' ? work() : work);
    return 'ok';
  } catch (error) {
    if (!isAuthError(error)) throw error;
    const challenge = error.headers['WWW-Authenticate'] ?? '';
    const of = /oauth-protected-resource([^"]*)"/.exec(challenge)?.[1];
    return `${error.code} ${of === '' ? 'api' : of}`;
  }
};

describe.each([{}, { cache: false }] as const)('with %j', (cache) => {
  it('accepts a token on the routes of its resource only, in any order', async () => {
    const authenticator = made(cache);
    const [api, files, both] = [
      await issuer.mint({ aud: API }),
      await issuer.mint({ aud: FILES }),
      await issuer.mint({ aud: [API, FILES] }),
    ];
    const ask = (token: string, resource?: string) =>
      outcome(authenticator.authenticate(asking(token), resource === undefined ? {} : { resource }));
    for (let round = 0; round < 2; round++) {
      expect(await ask(files, 'files')).toBe('ok');
      expect(await ask(files)).toBe('token_audience_mismatch api');
      expect(await ask(files, 'mail')).toBe('token_audience_mismatch /mail');
      expect(await ask(api)).toBe('ok');
      expect(await ask(api, 'files')).toBe('token_audience_mismatch /files');
      expect(await ask(both)).toBe('ok');
      expect(await ask(both, 'files')).toBe('ok');
      expect(await ask(both, 'mail')).toBe('token_audience_mismatch /mail');
    }
  });

  it('verify accepts the tokens of routes that name no resource, or of the named one', async () => {
    const authenticator = made(cache);
    const files = await issuer.mint({ aud: FILES, scope: 'files:read' });
    expect(await outcome(authenticator.verify(files))).toBe('token_audience_mismatch api');
    expect(await outcome(authenticator.verify(files, route('read')))).toBe('ok');
    expect(await outcome(authenticator.verify(files, route('send')))).toBe('token_audience_mismatch /mail');
    expect(await outcome(authenticator.verify('no token', route('send')))).toBe('token_malformed /mail');
  });

  it('a later check has the challenge of the resource that the request was for', async () => {
    const authenticator = made(cache);
    const files = await issuer.mint({ aud: FILES });
    const principal = await authenticator.authenticate(asking(files), { resource: 'files' });
    expect(await outcome(() => authorize(principal, { scope: 'x' }))).toBe('scope_insufficient /files');
    expect(await outcome(() => authorize(principal, route('read')))).toBe('scope_insufficient /files');
    expect(await outcome(() => authorize(principal, route('send')))).toBe('token_audience_mismatch /mail');
    const api = await authenticator.authenticate(asking(await issuer.mint({ aud: API })));
    expect(await outcome(() => authorize(api, { scope: 'x' }))).toBe('scope_insufficient api');
    expect(await outcome(() => authorize(api, route('read')))).toBe('token_audience_mismatch /files');
  });
});

it('only: a token for two resources is accepted on the routes of neither', async () => {
  const authenticator = made({ audMatch: 'only' });
  const both = await issuer.mint({ aud: [MAIL, FILES] });
  const files = await issuer.mint({ aud: FILES });
  const ask = (token: string) => outcome(authenticator.authenticate(asking(token), { resource: 'files' }));
  expect(await ask(both)).toBe('token_audience_mismatch /files');
  expect(await ask(files)).toBe('ok');
  expect(await outcome(authenticator.authenticate(asking(both)))).toBe('token_audience_mismatch api');
});

it('a URL of a resource in audience opens no other route', async () => {
  const authenticator = made({ audience: [API, FILES] });
  const files = await issuer.mint({ aud: FILES });
  expect(await outcome(authenticator.authenticate(asking(files)))).toBe('token_audience_mismatch api');
  expect(await outcome(authenticator.authenticate(asking(files), { resource: 'files' }))).toBe('ok');
});

describe.each(['the options', 'a keyset'])('with audience: null of %s', (of) => {
  it('a token that is only for a resource opens no other route', async () => {
    const [keyset] = issuer.options.keySets;
    const authenticator = made(
      of === 'a keyset' ? { keySets: [{ ...keyset, audience: null }] } : { audience: null },
    );
    const ask = async (aud: string | readonly string[] | undefined, resource?: string) =>
      outcome(
        authenticator.authenticate(
          asking(await issuer.mint({ aud })),
          resource === undefined ? {} : { resource },
        ),
      );
    for (const aud of [FILES, [FILES], [FILES, MAIL]]) {
      expect(await ask(aud)).toBe('token_audience_mismatch api');
      expect(await ask(aud, 'files')).toBe('ok');
    }
    for (const aud of [undefined, 'other', [FILES, 'other']]) expect(await ask(aud)).toBe('ok');
    expect(await ask('other', 'files')).toBe('token_audience_mismatch /files');
    const { allowed } = await authenticator.explain(await issuer.mint({ aud: FILES }));
    expect(allowed).toBe(false);
  });
});

it('a keyset with audiences of its own makes tokens for no other resource', async () => {
  const keySets = [{ ...issuer.options.keySets[0], audience: [API, FILES] }];
  const authenticator = made({ keySets });
  const ask = async (aud: string, resource?: string) =>
    outcome(
      authenticator.authenticate(
        asking(await issuer.mint({ aud })),
        resource === undefined ? {} : { resource },
      ),
    );
  expect(await ask(API)).toBe('ok');
  expect(await ask(FILES)).toBe('token_audience_mismatch api');
  expect(await ask(FILES, 'files')).toBe('ok');
  expect(await ask(MAIL, 'mail')).toBe('token_audience_mismatch /mail');
});

it('explain says why a token is not accepted on a route without a resource', async () => {
  const { allowed, checks } = await made().explain(await issuer.mint({ aud: FILES }));
  expect(allowed).toBe(false);
  const failed = checks.filter(({ outcome: found }) => found === 'failed');
  expect(failed).toMatchObject([{ expected: `one of ["${API}"]`, actual: JSON.stringify(FILES) }]);
});

it('explain shows the rules of a route after a token for another resource', async () => {
  const { checks } = await made().explain(await issuer.mint({ aud: FILES }), { scope: 'x' });
  const shown = checks.filter(({ check }) => check === 'route').map(({ about }) => about);
  expect(shown).toEqual(['aud', 'scope']);
});

it.each<[itself: string, answer: string | undefined, onFiles: string, others: string]>([
  [API, undefined, 'token_audience_mismatch /files', 'ok'],
  [API, API, 'token_audience_mismatch /files', 'ok'],
  [API, FILES, 'token_audience_mismatch /files', 'token_audience_mismatch api'],
  [FILES, undefined, 'token_audience_mismatch /files', 'token_audience_mismatch api'],
  [FILES, API, 'token_audience_mismatch /files', 'token_audience_mismatch api'],
  [FILES, FILES, 'ok', 'token_audience_mismatch api'],
  [MAIL, FILES, 'token_audience_mismatch /files', 'token_audience_mismatch api'],
])(
  'an endpoint opens no other resource: a JWT for %s, an answer for %s',
  async (itself, answer, onFiles, others) => {
    const remote = await endpoint({
      body: { sub: 'alice', ...(answer === undefined ? {} : { aud: answer }) },
    });
    const authenticator = made({ keySets: [], remote: { url: remote.url } });
    const token = await issuer.mint({ aud: itself });
    const ask = (access: object) => outcome(authenticator.authenticate(asking(token), access));
    expect(await ask({ resource: 'files' })).toBe(onFiles);
    expect(await ask({})).toBe(others);
    if (others !== 'ok') return;
    const principal = await authenticator.verify(token);
    expect(await outcome(() => authorize(principal, route('read')))).toBe('token_audience_mismatch /files');
  },
);

it('a combination asks each source for its own resource of that name', async () => {
  const one = made();
  const other = made({
    tokenFrom: [{ header: 'X-Token' }],
    resources: { files: { url: MAIL } },
    routes: {},
  });
  const both = requireAll({ one, other });
  const headers = async (aud: string) => ({
    ...asking(await issuer.mint({ aud: FILES })).headers,
    'x-token': await issuer.mint({ aud }),
  });
  const ask = async (aud: string) =>
    outcome(
      both.authenticate({ method: 'GET', url: '/', headers: await headers(aud) }, { resource: 'files' }),
    );
  expect(await ask(MAIL)).toBe('ok');
  expect(await ask(FILES)).toBe('token_audience_mismatch /mail');
});

it('follows a descriptor, and cached tokens too', async () => {
  const file = join(await temporaryFolder(), 'service.yaml');
  const clock = createClock();
  const write = (more: object) =>
    writeFile(
      file,
      `${JSON.stringify({ service: { jwt: { keySets: issuer.options.keySets, resource: { url: API }, ...more } } })}\n...\n`,
    );
  await write({ resources: { files: { url: FILES } } });
  const authenticator = closing(createAuthenticator({ descriptor: file, clock }));
  const token = await issuer.mint({ aud: FILES });
  const ask = () => outcome(authenticator.authenticate(asking(token), { resource: 'files' }));
  expect(await ask()).toBe('ok');
  // As on a socket, whose messages are judged by the principal of its handshake.
  const principal = await authenticator.verify(await issuer.mint({ aud: [API, FILES] }));
  const judge = () => judgeAccess(principal, compileAccess({ resource: 'files' }));
  expect(judge()).toBeUndefined();
  await write({ resources: { files: { url: MAIL } } });
  await authenticator.reload();
  expect(await ask()).toBe('token_audience_mismatch /mail');
  expect(await outcome(Promise.reject(judge()))).toBe('token_audience_mismatch /mail');
});

const NO_MAIL = { resources: { files: { url: FILES } }, routes: {} };

describe('what is refused', () => {
  it.each<[title: string, options: object, message: string]>([
    ['resources without resource', { resource: undefined, audience: API }, 'resource: is required with'],
    ['resources without resource and audience', { resource: undefined }, 'resource: is required with'],
    [
      'exactly the URL of resource again',
      { resources: { files: { url: API } } },
      'resources.files.url: expected another URL than that of resource',
    ],
    [
      'the URL of resource again',
      { resources: { files: { url: `${API}/` } } },
      'resources.files.url: expected another URL than that of resource',
    ],
    [
      'a URL twice',
      { resources: { files: { url: FILES }, mail: { url: `${FILES}/` } } },
      'resources.mail.url: expected another URL than that of resources.files',
    ],
    ['a list', { resources: [{ url: FILES }] }, 'resources: expected an object: name'],
    ['no URL', { resources: { files: {} } }, 'resources.files.url: expected a string'],
    [
      'an http URL',
      { resources: { files: { url: 'http://a.example' } } },
      'resources.files.url: must be https',
    ],
    ['audMatch: all', { audMatch: 'all' }, 'audMatch: is not possible with resources'],
    ['an audience of resources only', { audience: [FILES, MAIL] }, 'audience: names only URLs of resources'],
    [
      'a route of another resource',
      { routes: { read: { resource: 'flies' } } },
      'routes.read.resource: expected a resource of the options, got resource flies; there are files, mail; did you mean files?',
    ],
  ])('%s', (_title, options, message) => {
    const given: Record<string, unknown> = { ...several, keySets: issuer.options.keySets, ...options };
    for (const [name, value] of Object.entries(given)) if (value === undefined) delete given[name];
    expect(() => createAuthenticator(given as never as AuthenticatorOptions)).toThrow(message);
  });

  it('a route in code that names an unknown resource, or one by its options', () => {
    const authenticator = made();
    expect(() => prepareAuthentication(authenticator, { resource: 'file' })).toThrow(
      'access.resource: expected a resource of the options, got resource file; there are files, mail; did you mean files?',
    );
    expect(() => prepareAuthentication(authenticator, { resource: { url: FILES } } as never)).toThrow(
      'access.resource: expected the name of a resource in resources of the options',
    );
    expect(() => prepareAuthentication(made({ resources: undefined }), { resource: 'files' })).toThrow();
    const both = requireAll({ authenticator, inside: requireAll({ other: made(NO_MAIL) }) });
    expect(() => prepareAuthentication(both, { resource: 'files' })).not.toThrow();
    expect(() => prepareAuthentication(both, { resource: 'mail' })).toThrow(
      'access.resource: expected a resource of the options, got resource mail; there are files',
    );
  });

  it('a request to a route whose resource is gone is a fault, and no refusal', async () => {
    const work = made().authenticate(asking(await issuer.mint({ aud: FILES })), { resource: 'gone' });
    await expect(work).rejects.toThrow(TypeError);
  });
});

it('every challenge of a resource names its metadata', async () => {
  const authenticator = made({ realm: 'r' });
  const decision = await authenticator.decide(asking(), { resource: 'files' });
  expect(decision).toMatchObject({
    error: { headers: { 'WWW-Authenticate': `Bearer realm="r", ${metadata('/files')}` } },
  });
});
