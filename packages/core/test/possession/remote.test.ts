// Bound tokens that an endpoint answers for (RFC 9449 §6.2): opaque ones, and JWTs whose own `cnf`
// counts where the answer has none.
import { createServer } from 'node:http';
import { createDpopKey } from '@latchkey/testing';
import { describe, expect, it } from 'vitest';
import { endpoint, introspecting, jwt, NOW } from '../remote/endpoints.ts';
import { listen } from '../support/servers.ts';
import { outcomeOf, PUBLIC, viewOf } from './bench.ts';

const API = 'https://api.example.com';
const key = await createDpopKey();
const BOUND = { aud: API, cnf: key.cnf, token_type: 'DPoP' };

async function asked(members: object, dpop: 'off' | 'allowed' | 'required' = 'allowed') {
  const remote = await endpoint({ body: { active: true, sub: 'alice', ...members } });
  const authenticator = introspecting(remote.url, { audience: API, dpop: { mode: dpop, publicUrl: PUBLIC } });
  return async (scheme: string, token = 'opaque') => {
    const proof = await key.proof({ url: `${PUBLIC}/orders`, token, atMs: NOW * 1000 });
    const pairs = [
      ['Authorization', `${scheme} ${token}`],
      ['DPoP', proof],
    ] as const;
    return outcomeOf(authenticator, viewOf('GET', '/orders', pairs));
  };
}

describe('an opaque token', () => {
  it.each([
    ['bound, of type DPoP', BOUND, 'accepted', 'token_binding_mismatch'],
    ['bound, without a type', { ...BOUND, token_type: undefined }, 'accepted', 'token_binding_mismatch'],
    ['bound to another key', { ...BOUND, cnf: { jkt: 'A'.repeat(43) } }, ...twice('token_binding_mismatch')],
    [
      'bound to a certificate',
      { ...BOUND, cnf: { 'x5t#S256': 'A'.repeat(43) } },
      ...twice('token_claims_invalid'),
    ],
    ['of type DPoP, but not bound', { ...BOUND, cnf: undefined }, ...twice('token_type_refused')],
    ['not bound', { aud: API }, 'token_binding_mismatch', 'accepted'],
  ])('%s', async (_, members, byDpop, byBearer) => {
    const ask = await asked(members);
    expect(await ask('DPoP')).toBe(byDpop);
    expect(await ask('Bearer')).toBe(byBearer);
  });

  it('required refuses one that is not bound', async () => {
    expect(await (await asked({ aud: API }, 'required'))('Bearer')).toBe('token_binding_mismatch');
    expect(await (await asked(BOUND, 'required'))('DPoP')).toBe('accepted');
  });

  it('without the option, one that is bound is refused', async () => {
    const ask = await asked(BOUND, 'off');
    expect(await ask('Bearer')).toBe('token_type_refused');
    expect(await ask('DPoP')).toBe('credentials_missing');
  });
});

it('cnf of a JWT counts where the answer has none', async () => {
  const ask = await asked({ aud: API });
  const bound = jwt({ sub: 'alice', aud: API, cnf: key.cnf });
  expect(await ask('DPoP', bound)).toBe('accepted');
  expect(await ask('Bearer', bound)).toBe('token_binding_mismatch');
  const other = jwt({ sub: 'alice', aud: API, cnf: { jkt: 'A'.repeat(43) } });
  expect(await ask('DPoP', other)).toBe('token_binding_mismatch');
});

it('the endpoint is not asked about a proof', async () => {
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      bodies.push(`${body} ${JSON.stringify(request.headers)}`);
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ active: true, sub: 'alice', ...BOUND }));
    });
  });
  const url = `http://127.0.0.1:${await listen(server)}/introspect`;
  const authenticator = introspecting(url, { audience: API, dpop: { mode: 'allowed', publicUrl: PUBLIC } });
  const proof = await key.proof({ url: `${PUBLIC}/orders`, token: 'opaque', atMs: NOW * 1000 });
  const pairs = [
    ['Authorization', 'DPoP opaque'],
    ['DPoP', proof],
  ] as const;
  expect(await outcomeOf(authenticator, viewOf('GET', '/orders', pairs))).toBe('accepted');
  expect(bodies).toHaveLength(1);
  expect(bodies[0]).toContain('token=opaque');
  expect(bodies[0]).not.toContain(proof.split('.')[1]);
});

function twice(code: string): readonly [string, string] {
  return [code, code];
}
