// docs/aws-alb.md: the options of its recipe, on a real server that gets the headers of an
// Application Load Balancer.
import { sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { forge, generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { type AuthenticatorOptions, isAuthError } from '../src/index.ts';
import { startAuthenticator } from './support/authenticators.ts';
import { listen } from './support/servers.ts';

const PAGE = readFileSync(new URL('../../../docs/aws-alb.md', import.meta.url), 'utf8');
const CLIENT = '1h57kf5cpq17m0eml12example';

/** The options of the page, with the keys of the test in place of those of Cognito. */
function optionsOf(page: string, key: SigningKey): AuthenticatorOptions {
  const [, code = ''] = /^```js\n(.*?)^```$/ms.exec(page) ?? [];
  const evaluate = new Function('createAuthenticator', `${code}; return authenticator;`);
  const options = evaluate((given: unknown) => given) as AuthenticatorOptions;
  const [given] = options.keySets ?? [];
  expect(given).toMatchObject({ useOidcDiscovery: true });
  const { useOidcDiscovery: _, ...keyset } = given as { readonly useOidcDiscovery?: true };
  return { ...options, keySets: [{ ...keyset, jwks: { keys: [key.publicJwk] } }] } as AuthenticatorOptions;
}

let key: SigningKey;
let balancer: SigningKey;
let port: number;

beforeAll(async () => {
  key = await generateSigningKey('RS256', 'cognito');
  balancer = await generateSigningKey('ES256', '9a2b2c3d-0000-4000-8000-000000000000');
});

async function start(): Promise<void> {
  const authenticator = startAuthenticator(optionsOf(PAGE, key));
  const server = createServer(async (request, response) => {
    try {
      const principal = await authenticator.authenticate(request);
      response.end(principal?.subject);
    } catch (error) {
      response.end(isAuthError(error) ? error.code : String(error));
    }
  });
  port = await listen(server);
}

/** What the service says to a request of the load balancer. */
async function said(headers: Record<string, string>): Promise<string> {
  return (await fetch(`http://127.0.0.1:${port}/`, { headers })).text();
}

const now = () => Math.floor(Date.now() / 1000);
const accessToken = (claims: object = {}) =>
  mint(key, {
    iss: 'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123',
    sub: 'alice',
    token_use: 'access',
    client_id: CLIENT,
    exp: now() + 300,
    ...claims,
  });

/** The header of a load balancer: base64url with padding. */
function dataToken(): string {
  const padded = (text: string) =>
    Buffer.from(text).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
  const iss = 'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123';
  const signer = 'arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/web/50dc6c495c0c9188';
  const header = {
    typ: 'JWT',
    kid: balancer.kid,
    alg: 'ES256',
    iss,
    client: CLIENT,
    signer,
    exp: now() + 120,
  };
  const input = `${padded(JSON.stringify(header))}.${padded(JSON.stringify({ sub: 'mallory', iss, exp: now() + 120 }))}`;
  const signature = sign('sha256', Buffer.from(input), {
    key: balancer.privateKey,
    dsaEncoding: 'ieee-p1363',
  });
  return `${input}.${signature.toString('base64').replaceAll('+', '-').replaceAll('/', '_')}`;
}

describe('docs/aws-alb.md', () => {
  it('the access token of the load balancer passes', async () => {
    await start();
    expect(await said({ 'x-amzn-oidc-accesstoken': await accessToken() })).toBe('alice');
    expect(
      await said({
        'x-amzn-oidc-accesstoken': await accessToken(),
        'x-amzn-oidc-identity': 'mallory',
        'x-amzn-oidc-data': dataToken(),
      }),
    ).toBe('alice');
  });

  it('no other header makes a caller', async () => {
    await start();
    const missing = 'credentials_missing';
    expect(await said({})).toBe(missing);
    expect(await said({ 'x-amzn-oidc-identity': 'alice' })).toBe(missing);
    expect(await said({ 'x-amzn-oidc-identity': 'alice', 'x-amzn-oidc-data': dataToken() })).toBe(missing);
    expect(await said({ authorization: `Bearer ${await accessToken()}` })).toBe(missing);
  });

  it('tokens of another app client, ID tokens and forged tokens are refused', async () => {
    await start();
    const answerTo = async (token: string | Promise<string>) =>
      said({ 'x-amzn-oidc-accesstoken': await token });
    expect(await answerTo(accessToken({ client_id: 'other' }))).toBe('token_claims_invalid');
    expect(await answerTo(accessToken({ token_use: 'id' }))).toBe('token_claims_invalid');
    expect(await answerTo(accessToken({ exp: now() - 60 }))).toBe('token_expired');
    const payload = { iss: 'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123', sub: 'alice' };
    expect(await answerTo(forge({ header: { alg: 'none' }, payload }))).toMatch(/^token_/);
  });

  it('what the load balancer signs is refused where a token is expected', async () => {
    await start();
    // A padded text is no token68 of RFC 9110 in the middle, and no JWS by RFC 7515.
    expect(await said({ 'x-amzn-oidc-accesstoken': dataToken() })).toMatch(
      /^(?:credentials_malformed|token_malformed)$/,
    );
  });
});
