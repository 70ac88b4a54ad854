// Cases of replies whose fields are signed, and of published keys. The replies of the handlers are
// in signing-routes.ts.

import { LOGIN_ISSUER } from '../signers.ts';
import { ODD_MEMBERS } from '../signing-routes.ts';
import { bearer, type ConformanceCase, type Expectation, missing } from './case.ts';

type Answer = Extract<Expectation, { readonly status: number }>;

const alice = { iss: LOGIN_ISSUER, sub: 'alice' } as const;
const both = {
  access_token: { ...alice, roles: ['role_a', 'role_b'] },
  refresh_token: { ...alice, jti: 'mnb23vcsrt756yuiomn12876bvcx98ertyuiop' },
} as const;
/** The headers of RFC 6749 §5.1. */
const headers = {
  'content-type': 'application/json; charset=utf-8',
  'cache-control': 'no-store',
  pragma: 'no-cache',
} as const;

const posted = (name: string, path: string, expect: Answer): ConformanceCase => ({
  name,
  method: 'POST',
  path: `/sign/${path}`,
  expect,
});

/** A reply whose tokens are signed. */
const signs = (name: string, path: string, more: Partial<Answer> = {}): ConformanceCase =>
  posted(name, path, { status: 200, signed: both, headers, ...more });

/** A reply that is sent as the handler wrote it. */
const leaves = (name: string, path: string, more: Partial<Answer> = {}): ConformanceCase =>
  posted(name, path, { status: 200, ...more });

/** A reply that is not sent. */
const keepsBack = (name: string, path: string): ConformanceCase =>
  posted(name, path, { status: 500, conceals: true });

/** Replies whose fields are signed, and published keys. */
export const signingCases: readonly ConformanceCase[] = [
  // Replies that are signed.
  signs('KD-5: both tokens are signed in place', 'both'),
  signs('KD-4: everything else stays', 'both', {
    body: { exp: 1735689600, user: { name: 'Zoë', tags: [1, true, null] } },
  }),
  signs('KD-9: a reply that has one of the tokens', 'refresh-only', {
    signed: { refresh_token: alice },
    body: { token_type: 'Bearer' },
  }),
  signs('D24: any 2xx is signed, and its status stays', 'created', { status: 201 }),
  signs('KD-10, S41: full is a flattened JWS as a string', 'full', { form: 'text' }),
  signs("S41: full: 'object' is a flattened JWS", 'full-object', { form: 'object' }),
  signs('KD-4: numbers beyond a double, and a member named __proto__', 'text', {
    signed: { access_token: alice },
    ends: `,${ODD_MEMBERS}}`,
  }),
  signs('KD-5: a media type with the suffix +json', 'suffix'),
  signs('D24: the reply is not cacheable, also if the handler set other headers', 'headers', {
    headers: { ...headers, 'x-handler': 'kept' },
    without: ['last-modified', 'content-digest'],
  }),
  {
    name: 'KD-5: a GET is signed too',
    path: '/sign/read',
    expect: { status: 200, signed: both, headers },
  },
  {
    name: 'D24: a HEAD has no body, and no claims',
    method: 'HEAD',
    path: '/sign/read',
    expect: { status: 200, text: '', conceals: true },
  },
  {
    name: "S42: a HEAD has no missing token, with onMissing: 'error'",
    method: 'HEAD',
    path: '/sign/read-all',
    expect: { status: 200, text: '', conceals: true },
  },

  // Replies that are sent unchanged.
  leaves('S42, leaves unsigned: JSON with none of the fields at its top', 'neither', {
    text: '{"token_type":"Bearer","nested":{"access_token":"of no concern"}}',
  }),
  leaves('S42: a list', 'list', { text: '[{"access_token":"of no concern"}]' }),
  leaves('S42, leaves unsigned: JSON of an error, without the fields', 'refusal-other', {
    status: 401,
    text: '{"error":"invalid_grant","error_description":"The refresh_token has expired"}',
  }),

  // A reply other than 2xx is not signed: its status is sent, and no claims of the handler.
  leaves('S42: a refusal with a token', 'refusal', { status: 401, text: '', conceals: true }),
  leaves('S42: a refusal with a token further down', 'refusal-nested', {
    status: 400,
    text: '',
    conceals: true,
  }),
  leaves('S42: a refusal that is a page', 'refusal-page', { status: 403, text: '', conceals: true }),
  ...(['inspected', 'escaped', 'encoded'] as const).map((how) =>
    leaves(`S42: a refusal whose text has a token, ${how}`, `refusal-${how}`, {
      status: 400,
      text: '',
      conceals: true,
    }),
  ),
  leaves('S42: a redirect of the handler, with a token', 'redirect', {
    status: 302,
    text: '',
    headers: { location: '/elsewhere' },
    conceals: true,
  }),
  leaves('S42: a 503 of the handler, with a token', 'unavailable', {
    status: 503,
    text: '',
    conceals: true,
  }),
  keepsBack('S42: an exception that carries the tokens', 'fault-with-tokens'),

  // Replies that cannot be signed are not sent.
  keepsBack('S42: a token that is a string', 'as-text'),
  keepsBack('S42: a token that is a list', 'as-list'),
  keepsBack('S42: a token that is null', 'as-null'),
  keepsBack('S42: a token that is a number', 'as-number'),
  keepsBack('S42: a token that is true', 'as-boolean'),
  keepsBack("S42: onMissing: 'error', and one is missing", 'missing'),
  keepsBack('S47: claims without exp', 'without-exp'),
  keepsBack('D24: claims that live too long', 'long-lived'),
  keepsBack('S47: claims of another issuer', 'other-issuer'),
  keepsBack('S46: keys that cannot be read', 'down'),
  keepsBack('KD-5: tokens in a reply that is not declared as JSON', 'plain'),
  keepsBack('KD-5: tokens in JSON that is declared as a page', 'html-json'),
  keepsBack('S42: a page', 'html'),
  keepsBack('S42: events', 'events'),
  keepsBack('S42: a line of JSON after another', 'lines'),
  keepsBack('S42: a script', 'script'),
  keepsBack('KD-5: what is declared as JSON, and is not', 'broken'),
  posted('S42: a part of a reply, which the client has chosen', 'part', {
    status: 500,
    conceals: true,
    without: ['content-range'],
  }),
  keepsBack('KD-5: what is compressed already', 'compressed'),
  posted('S42: what does not leave takes along what was said of it', 'said-of-it', {
    status: 500,
    // Its ETag too, which derives from the concealed body. Express makes a new one for an error.
    conceals: true,
    without: ['content-encoding', 'cache-control'],
  }),
  keepsBack("T-099: a handler's own error, on a route that signs", 'fault'),

  // A refused request gets no token.
  {
    name: 'KD-3: a route that needs a token and signs, no token',
    method: 'POST',
    path: '/sign/for-somebody',
    expect: missing,
  },
  {
    name: 'KD-3: a route that needs a token and signs',
    method: 'POST',
    path: '/sign/for-somebody',
    headers: bearer('good'),
    expect: { status: 200, signed: both, headers },
  },

  // Published keys.
  ...(['GET', 'HEAD'] as const).map((method) => ({
    name: `KD-15: keys are published, ${method}`,
    method,
    path: '/keys/login.json',
    expect: {
      status: 200,
      handled: false,
      mediaType: 'application/jwk-set+json',
      headers: { 'cache-control': 'public, max-age=300' },
    },
  })),
  {
    name: 'S46: keys to publish that cannot be read',
    path: '/keys/down.json',
    expect: { code: 'keyset_unavailable' },
  },
  {
    name: 'KD-16: symmetric keys are not published',
    path: '/keys/symmetric.json',
    expect: { status: 500, handled: false },
  },
];
