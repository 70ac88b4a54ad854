// The routes whose replies are signed, and the paths where keys are published, as data.
import type { Signer } from '@latchkey/core/signing';
import type { Route } from './routes.ts';
import { LOGIN_ISSUER, type Signers } from './signers.ts';
import { canary } from './tokens.ts';

/** A path where an adapter must publish the keys of a signer. */
export interface PublishedKeys {
  readonly path: string;
  readonly signer: Signer;
}

/**
 * The members next to a token in a reply that is written as a string: numbers beyond a double, and
 * the name __proto__.
 */
export const ODD_MEMBERS =
  '"long":12345678901234567890,"exact":1.0,"huge":1e400,"name":"Zoë 😀","__proto__":{"admin":true},"list":[{"a":null}]';

/** The paths of published keys. */
export function publishedKeys({ login, down, symmetric }: Signers): readonly PublishedKeys[] {
  return [
    { path: '/keys/login.json', signer: login },
    { path: '/keys/down.json', signer: down },
    { path: '/keys/symmetric.json', signer: symmetric },
  ];
}

/**
 * The routes whose replies are signed. Values that must not be sent in clear contain the canary.
 */
export function signingRoutes({ login, down }: Signers, audience: string): readonly Route[] {
  const sign = { signer: login, keysToSign: ['access_token', 'refresh_token'] };
  const claims = (more: object = {}) => ({
    iss: LOGIN_ISSUER,
    aud: audience,
    sub: 'alice',
    canary,
    exp: Math.floor(Date.now() / 1000) + 300,
    ...more,
  });
  const both = () => ({
    access_token: claims({ roles: ['role_a', 'role_b'] }),
    refresh_token: claims({ jti: 'mnb23vcsrt756yuiomn12876bvcx98ertyuiop' }),
    exp: 1735689600,
    user: { name: 'Zoë', tags: [1, true, null] },
  });
  const json = { 'Content-Type': 'application/json' };
  const as = (type: string, status = 200): Pick<Route, 'reply'> => ({
    reply: { status, headers: { 'Content-Type': type } },
  });
  const post = (path: string, handle: Route['handle'], more: Partial<Route> = {}): Route => ({
    method: 'POST',
    path: `/sign/${path}`,
    access: 'public',
    sign,
    handle,
    ...more,
  });
  /** A route whose `access_token` is not a claims object, next to a good `refresh_token`. */
  const odd = (path: string, access_token: unknown): Route =>
    post(path, () => ({ refresh_token: claims(), access_token, canary }));
  return [
    // Replies that are signed.
    post('both', both),
    post('refresh-only', () => ({ refresh_token: claims(), token_type: 'Bearer' })),
    post('created', both, { reply: { status: 201 } }),
    post('full', both, { sign: { ...sign, full: true } }),
    post('full-object', both, { sign: { ...sign, full: 'object' } }),
    post('text', () => `{"access_token":${JSON.stringify(claims())},${ODD_MEMBERS}}`, {
      reply: { headers: json },
    }),
    post('suffix', () => JSON.stringify(both()), {
      reply: { headers: { 'Content-Type': 'Application/Token+JSON; charset=UTF-8' } },
    }),
    post('headers', both, {
      reply: {
        headers: {
          'Cache-Control': 'public, max-age=3600',
          ETag: `"${canary}"`,
          'Last-Modified': 'Tue, 15 Nov 1994 12:45:26 GMT',
          'Content-Digest': 'sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:',
          'X-Handler': 'kept',
        },
      },
    }),
    post('echo', (_principal, url) => ({ access_token: claims({ sub: url.split('user=')[1] }) })),
    { ...post('read', both), method: 'GET' },
    { ...post('read-all', both, { sign: { ...sign, onMissing: 'error' } }), method: 'GET' },

    // Replies that are sent unchanged.
    post('neither', () => ({ token_type: 'Bearer', nested: { access_token: 'of no concern' } })),
    post('list', () => [{ access_token: 'of no concern' }]),
    post(
      'refusal-other',
      () => ({ error: 'invalid_grant', error_description: 'The refresh_token has expired' }),
      { reply: { status: 401 } },
    ),

    // Replies other than 2xx.
    post('refusal', both, { reply: { status: 401 } }),
    post('refusal-nested', () => ({ error: [{ data: JSON.stringify(both()) }, both()] }), {
      reply: { status: 400 },
    }),
    post('refusal-page', () => `<p>${canary}</p>`, as('text/html', 403)),
    post('redirect', () => JSON.stringify(both()), {
      reply: { status: 302, headers: { ...json, Location: '/elsewhere' } },
    }),
    post('unavailable', both, { reply: { status: 503 } }),
    post('refusal-inspected', () => `not signed: { access_token: Claims { canary: '${canary}' } }`, {
      ...as('text/plain', 400),
    }),
    post('refusal-escaped', () => ({ error: JSON.stringify(both()).replaceAll('"', '&quot;') }), {
      reply: { status: 400 },
    }),
    post('refusal-encoded', () => ({ error: encodeURIComponent(JSON.stringify(both())) }), {
      reply: { status: 400 },
    }),
    post('fault-with-tokens', () => {
      throw new Error(JSON.stringify(both()));
    }),

    // Replies that cannot be signed.
    odd('as-text', canary),
    odd('as-list', [claims()]),
    odd('as-null', null),
    odd('as-number', 5),
    odd('as-boolean', true),
    post('missing', () => ({ access_token: claims() }), { sign: { ...sign, onMissing: 'error' } }),
    post('without-exp', () => ({ access_token: claims({ exp: undefined }) })),
    post('long-lived', () => ({ access_token: claims({ exp: 99_999_999_999 }) })),
    post('other-issuer', () => ({ access_token: claims({ iss: 'https://issuer.example' }) })),
    post('down', both, { sign: { ...sign, signer: down } }),
    post('plain', () => JSON.stringify(both()), as('text/plain')),
    post('html-json', () => JSON.stringify(both()), as('text/html; charset=utf-8')),
    post('html', () => `<h1>${canary}</h1>`, as('text/html; charset=utf-8')),
    post('events', () => `data: ${JSON.stringify(both())}\n\n`, as('text/event-stream')),
    post('lines', () => `${JSON.stringify(both())}\n${JSON.stringify(both())}\n`, as('application/x-ndjson')),
    post('script', () => `take(${JSON.stringify(both())})`, as('application/javascript')),
    post('part', () => JSON.stringify(claims()), {
      reply: { status: 206, headers: { ...json, 'Content-Range': 'bytes 16-199/201' } },
    }),
    post('broken', () => JSON.stringify(both()).slice(0, -1), { reply: { headers: json } }),
    post('compressed', () => JSON.stringify(both()), {
      reply: { headers: { ...json, 'Content-Encoding': 'gzip' } },
    }),
    post('said-of-it', () => JSON.stringify({ access_token: claims({ exp: undefined }) }), {
      reply: {
        headers: {
          ...json,
          'Cache-Control': 'public, max-age=3600',
          'Content-Encoding': 'identity',
          ETag: `"${canary}"`,
        },
      },
    }),
    post('fault', () => {
      throw new Error('the handler failed');
    }),

    // A refused request gets no token.
    { ...post('for-somebody', both), access: {} },
  ];
}
