// The examples of RFC 9449, which are data in test/vectors.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { RequestView } from '../../src/credentials/request.ts';
import { createDpop } from '../../src/possession/dpop.ts';
import { dpop as dpopOption } from '../../src/possession/options.ts';
import { openProof } from '../../src/possession/proof.ts';
import { createReplayMemory } from '../../src/possession/replay.ts';
import { createReplayGuard } from '../../src/possession/replay-guard.ts';
import { createTargetJudge } from '../../src/possession/target.ts';

interface Examples {
  /** For the token endpoint, §4, and for the resource, §7.1: figures 2 and 13. */
  readonly proofs: readonly [Example, Example];
  readonly token: string;
  /** §6.1. */
  readonly thumbprint: string;
}
interface Example {
  readonly proof: string;
  readonly claims: { readonly htu: string };
}

const {
  proofs: [AT_THE_TOKEN_ENDPOINT, AT_THE_RESOURCE],
  token: TOKEN,
  thumbprint: JKT,
}: Examples = JSON.parse(readFileSync(new URL('../vectors/rfc9449.json', import.meta.url), 'utf8'));
const [HEADER] = AT_THE_RESOURCE.proof.split('.');
const ES256 = new Set(['ES256']);

it('§4.2: the proof of figure 2 has the key and the claims of figure 3', () => {
  const proof = openProof(AT_THE_TOKEN_ENDPOINT.proof, ES256);
  expect(proof.claims).toEqual(AT_THE_TOKEN_ENDPOINT.claims);
  expect(proof.thumbprint).toBe(JKT);
  expect(proof.isSigned()).toBe(true);
  const request = { method: 'POST', url: '/token', headers: {} };
  expect(createTargetJudge(['https://server.example.com'])(String(proof.claims.htu), request)).toBe(true);
});

it('§4.2: the proof of figure 2 is not one of another header', () => {
  const [, payload, signature] = AT_THE_RESOURCE.proof.split('.');
  expect(openProof(`${HEADER}.${payload}.${signature}`, ES256).isSigned()).toBe(true);
  const changed = openProof(`${HEADER}.${AT_THE_TOKEN_ENDPOINT.proof.split('.')[1]}.${signature}`, ES256);
  expect(changed.isSigned()).toBe(false);
});

const settings = (publicUrl: string) => {
  const read = dpopOption.read({ mode: 'required', publicUrl }, 'dpop');
  if (read === undefined) throw new Error('expected settings');
  return read;
};

function judge(change: Partial<RequestView> = {}, token = TOKEN, confirmation = JKT, atMs = 1562262620_000) {
  const clock = { now: () => atMs };
  const guard = createReplayGuard(createReplayMemory(10, clock), false);
  const kind = createDpop(settings('https://resource.example.org'), clock, guard);
  const headers = { authorization: `DPoP ${token}`, dpop: AT_THE_RESOURCE.proof };
  const request = { method: 'GET', url: '/protectedresource', headers, ...change };
  return kind.prove({ request, token, confirmation, note: undefined });
}

it('§7.1: the request of figure 13 is accepted', () => {
  expect(judge()).toBeUndefined();
});

it.each([
  ['another method', judge({ method: 'POST' }), 'proof_invalid'],
  ['another path', judge({ url: '/another' }), 'proof_invalid'],
  ['another token', judge({}, 'Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxV'), 'proof_invalid'],
  ['a token of another key', judge({}, TOKEN, 'A'.repeat(43)), 'token_binding_mismatch'],
  ['a later time', judge({}, TOKEN, JKT, 1562262718_000), 'proof_invalid'],
  ['an earlier time', judge({}, TOKEN, JKT, 1562262600_000), 'proof_invalid'],
])('§7.1: the request of figure 13 is refused with %s', (_, refusal, code) => {
  expect(refusal).toMatchObject({ code });
});
