// The requests that both services of a page of docs/migrate get, by their names in its table.
import { forge, generateSigningKey, mint, type TestIssuer } from '@latchkey/testing';

/** A request for `/friends`. */
export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** After the path: `?name=value`. */
  readonly query?: string;
  /** Whether the keys of the issuer cannot be fetched. */
  readonly isDown?: boolean;
}

const FRIENDS = { sub: 'alice', scope: 'friends:read' };
const bearer = async (token: Promise<string> | string): Promise<Asked> => ({
  headers: { authorization: `Bearer ${await token}` },
});
const now = () => Math.floor(Date.now() / 1000);

/** Makes the request, with a token of this issuer. */
export const REQUESTS: Readonly<Record<string, (issuer: TestIssuer) => Asked | Promise<Asked>>> = {
  'a good token': ({ mint }) => bearer(mint(FRIENDS)),
  'no token': () => ({}),
  'a token without the scope': ({ mint }) => bearer(mint({ sub: 'bob' })),
  'an expired token': ({ mint }) => bearer(mint({ ...FRIENDS, iat: now() - 400, exp: now() - 100 })),
  'a token that expired 2 seconds ago': ({ mint }) =>
    bearer(mint({ ...FRIENDS, iat: now() - 300, exp: now() - 2 })),
  'a token without `exp`': ({ mint }) => bearer(mint({ ...FRIENDS, exp: undefined })),
  'a token with `nbf` in the future': ({ mint }) => bearer(mint({ ...FRIENDS, nbf: now() + 100 })),
  'a token with `iat` in the future': ({ mint }) => bearer(mint({ ...FRIENDS, iat: now() + 100 })),
  'a token for another audience': ({ mint }) => bearer(mint({ ...FRIENDS, aud: 'https://other.example' })),
  'a token of another issuer': ({ mint }) => bearer(mint({ ...FRIENDS, iss: 'https://other.example' })),
  'a token without `iss`': ({ mint }) => bearer(mint({ ...FRIENDS, iss: undefined })),
  'a token without `sub`': ({ mint }) => bearer(mint({ ...FRIENDS, sub: undefined })),
  'a logout token (`typ` `logout+jwt`)': ({ mint }) => bearer(mint(FRIENDS, { typ: 'logout+jwt' })),
  'an access token of RFC 9068 (`typ` `at+jwt`)': ({ mint }) => bearer(mint(FRIENDS, { typ: 'at+jwt' })),
  'a token that is bound to a key, without proof': ({ mint }) =>
    bearer(mint({ ...FRIENDS, cnf: { jkt: '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I' } })),
  'a token without `kid`': ({ mint }) => bearer(mint(FRIENDS, { kid: undefined })),
  'a token with an unknown `kid`': ({ mint }) => bearer(mint(FRIENDS, { kid: 'unknown' })),
  'a token with a critical header (`crit`)': ({ mint }) =>
    bearer(mint(FRIENDS, { crit: ['x'], x: 'not understood' })),
  'a token with the signature of another key': async (issuer) => {
    const other = await generateSigningKey('RS256');
    const claims = { iss: issuer.issuer, aud: issuer.audience, exp: now() + 300, ...FRIENDS };
    return bearer(mint(other, claims, { kid: issuer.key.kid }));
  },
  'a token with `alg` `none`': ({ issuer, audience }) =>
    bearer(
      forge({
        header: { alg: 'none' },
        payload: { iss: issuer, aud: audience, exp: now() + 300, ...FRIENDS },
      }),
    ),
  'something that is no JWT': () => bearer('opaque'),
  '`Authorization: Bearer` without a token': () => ({ headers: { authorization: 'Bearer' } }),
  '`Authorization: Basic …`': () => ({ headers: { authorization: 'Basic YWxpY2U6c2VjcmV0' } }),
  'a token after two spaces': async ({ mint }) => ({
    headers: { authorization: `Bearer  ${await mint(FRIENDS)}` },
  }),
  'a token in the query (`?access_token=…`)': async ({ mint }) => ({
    query: `?access_token=${await mint(FRIENDS)}`,
  }),
  'a preflight of CORS that asks for `Authorization`': () => ({
    method: 'OPTIONS',
    headers: {
      origin: 'https://app.example.com',
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'authorization',
    },
  }),
  'a good token, while the keys cannot be fetched': async ({ mint }) => ({
    ...(await bearer(mint(FRIENDS))),
    isDown: true,
  }),
};
