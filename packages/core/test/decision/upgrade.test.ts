// Upgrades over real sockets, with the real ws: an upgrade is accepted only if a request with its
// token would be.
import { once } from 'node:events';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { compileAccess, type RouteAccess } from '../../src/decision/access.ts';
import { requireAll } from '../../src/decision/combine.ts';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import { refusalOf } from '../../src/decision/pipeline.ts';
import { isPrincipal } from '../../src/decision/principal.ts';
import { authenticateUpgrade } from '../../src/decision/upgrade.ts';
import { defined } from '../support/defined.ts';
import { answerTo, bad, bearer, create, dial, down, good, issuer, serve } from './upgrades.ts';

const strong = await issuer.mint({ acr: 'urn:example:mfa' });

describe('T-093: an upgrade without a good token is answered and closed', () => {
  const REFUSALS: readonly (readonly [
    what: string,
    headers: readonly string[],
    status: 400 | 401,
    challenge: RegExp,
  ])[] = [
    ['without a token', [], 401, /^Bearer realm="chat"$/],
    ['with another scheme', ['Authorization: Basic YTpi'], 401, /^Bearer realm="chat"$/],
    ...Object.entries(bad).map(
      ([name, token]) =>
        [
          `with a token that is ${name}`,
          [bearer(token)],
          401,
          /^Bearer realm="chat", error="invalid_token"/,
        ] as const,
    ),
    ['with half a header', ['Authorization: Bearer'], 400, /error="invalid_request"/],
    ['with two headers, the first good', [bearer(good), bearer(bad.forged)], 400, /error="invalid_request"/],
  ];

  it.each(REFUSALS)('T-093: %s', async (_, headers, status, challenge) => {
    const reason = status === 401 ? 'Unauthorized' : 'Bad Request';
    const { port, seen, next } = await serve(create({ realm: 'chat' }));
    const decided = next();
    const answer = await answerTo(port, headers);
    expect(answer).toMatchObject({
      status,
      reason,
      headers: {
        'www-authenticate': expect.stringMatching(challenge),
        'cache-control': 'no-store',
        connection: 'close',
        'content-length': '0',
      },
    });
    expect(answer.text).not.toContain('101');
    expect(answer.text.endsWith('\r\n\r\n')).toBe(true);
    const { socket, result } = await decided;
    expect(result).toEqual({ status: 'fulfilled', value: undefined });
    // The client keeps its half open; the server closes the connection.
    if (!socket.closed) await once(socket, 'close');
    expect(seen).toHaveLength(1);
  });

  it('T-093: unavailable keys: 503 with Retry-After, and no challenge', async () => {
    const { port, next } = await serve(create());
    const decided = next();
    const answer = await answerTo(port, [bearer(await issuer.mint({ iss: down.issuer }))]);
    expect(answer).toMatchObject({
      status: 503,
      reason: 'Service Unavailable',
      headers: { connection: 'close' },
    });
    expect(answer.headers['retry-after']).toMatch(/^[1-9]\d*$/);
    expect(answer.headers).not.toHaveProperty('www-authenticate');
    expect((await decided).result).toEqual({ status: 'fulfilled', value: undefined });
  });

  it('T-093: a client with ws gets the status, and no connection', async () => {
    const { port } = await serve(create());
    expect(await dial(port)).toBe(401);
    expect(await dial(port, { authorization: `Bearer ${bad.forged}` })).toBe(401);
  });
});

describe('T-093: an upgrade with a good token', () => {
  it('T-093: connects, with the principal', async () => {
    const { port, seen } = await serve(create());
    expect(await dial(port, { authorization: `Bearer ${good}` })).toBe('alice');
    const [
      {
        result,
        listeners: [before, after],
      } = expect.fail('not seen'),
    ] = seen;
    if (result.status === 'rejected' || result.value === undefined) expect.fail('not accepted');
    expect(Object.isFrozen(result.value)).toBe(true);
    expect(Object.keys(result.value)).toEqual(['auth']);
    expect(isPrincipal(result.value.auth)).toBe(true);
    // No listener is left on the socket.
    expect(after).toBe(before);
  });

  it.each<
    [
      what: string,
      mode: AuthenticatorOptions['mode'],
      overrides: RouteAccess | undefined,
      token: string | undefined,
      expected: string | number,
    ]
  >([
    ['mode optional, anonymous', 'optional', undefined, undefined, 'undefined'],
    ['mode optional, good', 'optional', undefined, good, 'alice'],
    ['mode optional, bad', 'optional', undefined, bad.forged, 401],
    ['mode permissive, bad', 'permissive', undefined, bad.forged, 'undefined'],
    ['mode strict, anonymous', 'strict', undefined, undefined, 401],
    ['mode strict, optional here, anonymous', 'strict', { mode: 'optional' }, undefined, 'undefined'],
    ['mode optional, strict here, anonymous', 'optional', { mode: 'strict' }, undefined, 401],
    ['another audience here', 'strict', { audience: 'https://x.example' }, good, 401],
    ['an issuer that is not welcome here', 'strict', { issuers: ['https://x.example'] }, good, 401],
    ['an authentication that is not enough here', 'optional', { acr: ['urn:example:mfa'] }, good, 401],
    ['an authentication that is enough here', 'optional', { acr: ['urn:example:mfa'] }, strong, 'alice'],
    ['anonymous where an authentication is required', 'optional', { maxAge: '5m' }, undefined, 401],
    ['an actor that is required here', 'strict', { actors: ['gateway'] }, good, 403],
  ])('T-093: %s', async (_, mode, overrides, token, expected) => {
    const authenticator = create(defined({ mode }));
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    for (const access of [overrides, overrides && compileAccess(overrides)]) {
      const { port } = await serve(authenticator, defined({ overrides: access }));
      expect(await dial(port, headers)).toBe(expected);
    }
  });

  it.each<[what: string, headers: Record<string, string>, expected: string | number]>([
    ['both', { authorization: `Bearer ${good}`, 'x-device': good }, 'alice and alice'],
    ['one only', { authorization: `Bearer ${good}` }, 401],
    ['the other only', { 'x-device': good }, 401],
    ['one good, one bad', { authorization: `Bearer ${good}`, 'x-device': bad.forged ?? '' }, 401],
    ['none', {}, 401],
  ])('T-093: a tree of two tokens: %s', async (_, headers, expected) => {
    // Neither the mode of the leaves nor an override lets an anonymous request pass a tree.
    const tree = requireAll({
      user: create({ mode: 'permissive' }),
      device: create({ tokenFrom: [{ header: 'x-device' }], mode: 'optional' }),
    });
    const { port } = await serve(tree, {
      overrides: { mode: 'optional' },
      connected: (ws, { user, device }) => ws.send(`${user.subject} and ${device.subject}`),
    });
    expect(await dial(port, headers)).toBe(expected);
  });
});

describe('T-093: a cookie that a page of another origin sends', () => {
  const cookie = `Cookie: token=${good}`;

  it.each<[what: string, headers: (host: string) => readonly string[], status: 101 | 403]>([
    ['Origin of another host', () => ['Origin: https://evil.example'], 403],
    ['Origin of another port', () => ['Origin: http://127.0.0.1:1'], 403],
    ['Origin null', () => ['Origin: null'], 403],
    ['Origin with the own host as user', (host) => [`Origin: http://${host}@evil.example`], 403],
    ['Origin of the own host, with another scheme', (host) => [`Origin: ftp://${host}`], 403],
    ['neither Origin nor Sec-Fetch-Site', () => [], 403],
    ['Sec-Fetch-Site cross-site', () => ['Sec-Fetch-Site: cross-site'], 403],
    ['Sec-Fetch-Site same-site', () => ['Sec-Fetch-Site: same-site'], 403],
    [
      'Sec-Fetch-Site cross-site, Origin of the own host',
      (host) => [`Origin: http://${host}`, 'Sec-Fetch-Site: cross-site'],
      403,
    ],
    [
      'Sec-Fetch-Site none, with an Origin',
      () => ['Origin: https://evil.example', 'Sec-Fetch-Site: none'],
      403,
    ],
    ['Origin of the own host', (host) => [`Origin: http://${host}`], 101],
    ['Origin of the own host, TLS ended before', (host) => [`Origin: https://${host}`], 101],
    ['Sec-Fetch-Site same-origin', (host) => [`Origin: http://${host}`, 'Sec-Fetch-Site: same-origin'], 101],
    [
      'an origin that is allowed',
      () => ['Origin: https://app.example.com', 'Sec-Fetch-Site: cross-site'],
      101,
    ],
  ])('T-093, T-081: %s', async (_, headers, status) => {
    const authenticator = create({
      tokenFrom: [{ cookie: 'token', allowedOrigins: ['https://app.example.com'] }],
    });
    const { port, next } = await serve(authenticator);
    const decided = next();
    const answer = await answerTo(port, [cookie, ...headers(`127.0.0.1:${port}`)]);
    expect(answer.status).toBe(status);
    expect(answer.headers).not.toHaveProperty('www-authenticate');
    const { result, request } = await decided;
    expect(result).toMatchObject({
      status: 'fulfilled',
      value: status === 403 ? undefined : { auth: { subject: 'alice' } },
    });
    // Some frameworks route an upgrade as a GET: its headers show that it is an upgrade.
    expect(request.method).toBe('GET');
    const { rawHeaders } = request;
    const { upgrade, ...headersOfGet } = request.headers;
    const routed = authenticator.authenticate({
      method: 'GET',
      headers: { ...headersOfGet, upgrade },
      rawHeaders,
    });
    if (status === 403) await expect(routed).rejects.toMatchObject({ code: 'origin_refused' });
    else expect(await routed).toMatchObject({ subject: 'alice' });
    // A GET that is not an upgrade may come from any origin.
    expect(
      await authenticator.authenticate({ method: 'GET', headers: headersOfGet, rawHeaders }),
    ).toMatchObject({ subject: 'alice' });
  });

  it('T-093: the origin does not matter for a token in a header', async () => {
    const { port } = await serve(create({ tokenFrom: [{ header: 'Authorization' }, { cookie: 'token' }] }));
    const foreign = ['Origin: https://evil.example', 'Sec-Fetch-Site: cross-site'];
    expect((await answerTo(port, [bearer(good), ...foreign])).status).toBe(101);
    expect((await answerTo(port, [cookie, ...foreign])).status).toBe(403);
  });

  it('T-093: mode permissive does not make it a principal', async () => {
    const { port, next } = await serve(create({ tokenFrom: [{ cookie: 'token' }], mode: 'permissive' }));
    const decided = next();
    await answerTo(port, [cookie, 'Origin: https://evil.example']);
    expect((await decided).result).toEqual({ status: 'fulfilled', value: { auth: undefined } });
  });
});

describe('T-093: a token in the query', () => {
  it.each<[what: string, token: string | undefined, status: number]>([
    ['good', good, 101],
    ['forged', bad.forged, 401],
    ['malformed', bad.malformed, 401],
  ])('T-093: a %s one is read, and removed from the URL at once', async (_, token, status) => {
    const { port, next } = await serve(create({ tokenFrom: [{ query: 'access_token' }] }));
    const decided = next();
    const answer = await answerTo(port, [], `/chat?room=1&access_token=${token}&x=%2f`);
    expect(answer.status).toBe(status);
    expect(answer.text).not.toContain(token);
    const { urlAtOnce, request, result } = await decided;
    expect([urlAtOnce, request.url]).toEqual(['/chat?room=1&x=%2f', '/chat?room=1&x=%2f']);
    expect(result).toMatchObject({
      status: 'fulfilled',
      value: status === 101 ? { auth: { subject: 'alice' } } : undefined,
    });
  });

  it('T-083: is removed from originalUrl, also where the URL was rewritten', async () => {
    for (const url of [`/chat?access_token=${good}`, '/rewritten']) {
      const request = Object.assign(new IncomingMessage(new Socket()), {
        method: 'GET',
        url,
        originalUrl: `/ws/chat?room=1&access_token=${good}`,
      });
      const mode = url === '/rewritten' ? 'optional' : 'strict';
      const authenticator = create({ mode, tokenFrom: [{ query: 'access_token' }] });
      expect(await authenticateUpgrade(authenticator, request, new Socket())).toBeDefined();
      expect(request.originalUrl).toBe('/ws/chat?room=1');
      expect(request.url).not.toContain(good);
    }
  });

  it('T-093: the tokens of a tree are read before one is removed', async () => {
    const tree = requireAll({
      user: create({ tokenFrom: [{ query: 'user' }] }),
      device: create({ tokenFrom: [{ query: 'device' }] }),
    });
    const { port, next } = await serve(tree);
    const decided = next();
    expect((await answerTo(port, [], `/chat?user=${good}&device=${good}`)).status).toBe(101);
    expect((await decided).urlAtOnce).toBe('/chat');
  });

  it('T-093: is not read where tokenFrom does not name it', async () => {
    const { port, next } = await serve(create());
    const decided = next();
    const path = `/chat?access_token=${good}`;
    expect((await answerTo(port, [], path)).status).toBe(401);
    expect((await decided).request.url).toBe(path);
  });
});

describe('T-093: the request object', () => {
  it('D9: refusalOf tells why a permissive authenticator let an upgrade pass', async () => {
    const { port, next } = await serve(create({ mode: 'permissive' }));
    const decided = next();
    await answerTo(port, [bearer('a.b.c')]);
    const { result, request } = await decided;
    expect(result).toMatchObject({ status: 'fulfilled', value: { auth: undefined } });
    expect(refusalOf(request)?.code).toBe('token_malformed');
  });

  it('T-082: a token that was removed from the query is found again', async () => {
    const authenticator = create({ tokenFrom: [{ query: 'access_token' }] });
    const { port, next } = await serve(authenticator);
    const decided = next();
    await answerTo(port, [], `/chat?access_token=${good}`);
    const { request } = await decided;
    expect(request.url).toBe('/chat');
    await expect(authenticator.authenticate(request)).resolves.toMatchObject({ subject: 'alice' });
  });
});
