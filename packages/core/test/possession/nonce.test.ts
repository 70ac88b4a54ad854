// Nonces of the service, RFC 9449 §9.
import { createClock } from '@latchkey/testing';
import { expect, it } from 'vitest';
import { createNonces } from '../../src/possession/nonce.ts';
import { type Bench, bench, outcomeOf, PUBLIC, refusalOf, viewOf } from './bench.ts';

const SECRET = 'a secret that all processes of the service have';
const options = (nonce: object = {}) => ({ dpop: { mode: 'allowed', publicUrl: PUBLIC, nonce } as const });

/** The nonce that a service answers with. */
async function nonceOf({ authenticator, request, token }: Bench): Promise<string> {
  const refusal = await refusalOf(authenticator, await request(token));
  expect(refusal).toMatchObject({ code: 'proof_nonce_required', status: 401 });
  expect(refusal?.headers['WWW-Authenticate']).toMatch(/^DPoP error="use_dpop_nonce", .*algs="ES256 /);
  const nonce = refusal?.headers['DPoP-Nonce'] ?? '';
  expect(nonce).toMatch(/^[\w-]{22}$/);
  return nonce;
}

it('a proof needs the nonce that the service has sent, and may use it again', async () => {
  const one = await bench(options());
  const nonce = await nonceOf(one);
  expect(await one.ask(one.token, { nonce })).toBe('accepted');
  expect(await one.ask(one.token, { nonce, method: 'POST' })).toBe('accepted');
  expect(await one.ask(one.token, { nonce, claims: { htm: 'PUT' } })).toBe('proof_invalid');
});

it.each([
  ['none', undefined],
  ['an empty one', ''],
  ['another one', 'A'.repeat(22)],
  ['a number', 7],
  ['a longer one', 'A'.repeat(44)],
])('%s is answered with the nonce of now', async (_, nonce) => {
  const { authenticator, request, token } = await bench(options());
  const refusal = await refusalOf(authenticator, await request(token, { claims: { nonce: nonce as never } }));
  expect(refusal).toMatchObject({ code: 'proof_nonce_required' });
});

it('another spelling of a nonce is not that nonce', async () => {
  const one = await bench(options());
  const nonce = await nonceOf(one);
  for (const other of [
    `${nonce}=`,
    `${nonce} `,
    nonce.replace(/.$/, (last) => (last === 'A' ? 'B' : `${last}A`)),
  ])
    expect(await one.ask(one.token, { nonce: other })).toBe('proof_nonce_required');
});

it('a request without a proof gets a nonce too', async () => {
  const { authenticator, request, token } = await bench(options());
  const refusal = await refusalOf(authenticator, await request(token, { proofs: [] }));
  expect(refusal?.code).toBe('proof_invalid');
  expect(refusal?.headers['DPoP-Nonce']).toMatch(/^[\w-]{22}$/);
});

it('a nonce lasts at least half of its lifetime, and not longer than it', async () => {
  const one = await bench(options({ lifetime: '60s' }));
  // The start of a span.
  one.clock.set(Math.ceil(one.clock.now() / 30_000) * 30_000);
  const nonce = await nonceOf(one);
  one.clock.advance(59_999);
  expect(await one.ask(one.token, { nonce })).toBe('accepted');
  one.clock.advance(1);
  expect(await one.ask(one.token, { nonce })).toBe('proof_nonce_required');
  one.clock.advance(-1);
  const late = await nonceOf(one);
  one.clock.advance(30_000);
  expect(await one.ask(one.token, { nonce: late })).toBe('accepted');
  one.clock.advance(1);
  expect(await one.ask(one.token, { nonce: late })).toBe('proof_nonce_required');
});

it('processes with one secret accept the nonces of each other, also with clocks that differ', () => {
  const [clock, ahead] = [createClock(1_000_000), createClock(1_030_000)];
  const mine = createNonces(60_000, clock, SECRET);
  expect(mine.isRecent(createNonces(60_000, ahead, SECRET).current())).toBe(true);
  expect(createNonces(60_000, ahead, SECRET).isRecent(mine.current())).toBe(true);
  expect(mine.isRecent(createNonces(60_000, clock, `${SECRET}!`).current())).toBe(false);
  ahead.advance(30_000);
  expect(mine.isRecent(createNonces(60_000, ahead, SECRET).current())).toBe(false);
});

it('authenticators of one process accept the nonces of each other', async () => {
  const [one, other] = [await bench(options()), await bench(options())];
  other.clock.set(one.clock.now());
  expect(await other.ask(other.token, { nonce: await nonceOf(one) })).toBe('accepted');
});

it('exposeChallenge lets pages read the nonce', async () => {
  const { authenticator, request, token } = await bench({ ...options(), exposeChallenge: true });
  const expose = 'Access-Control-Expose-Headers';
  const refusal = await refusalOf(authenticator, await request(token));
  expect(refusal?.headers[expose]).toBe('WWW-Authenticate, DPoP-Nonce');
  const other = await refusalOf(authenticator, viewOf('GET', '/orders', []));
  expect(other?.headers[expose]).toBe('WWW-Authenticate');
  expect(other?.headers).not.toHaveProperty('DPoP-Nonce');
});

it('without the option, a nonce is one more claim', async () => {
  const { authenticator, request, token } = await bench();
  expect(await outcomeOf(authenticator, await request(token, { nonce: 'any' }))).toBe('accepted');
});
