// The examples of RFC 9449, as they are in its text.
import { expect, it } from 'vitest';
import type { RequestView } from '../../src/credentials/request.ts';
import { createDpop } from '../../src/possession/dpop.ts';
import { dpop as dpopOption } from '../../src/possession/options.ts';
import { openProof } from '../../src/possession/proof.ts';
import { createReplayMemory } from '../../src/possession/replay.ts';
import { createReplayGuard } from '../../src/possession/replay-guard.ts';
import { createTargetJudge } from '../../src/possession/target.ts';

const HEADER =
  'eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19';
/** §4, figure 2. */
const AT_THE_TOKEN_ENDPOINT = `${HEADER}.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg`;
/** §7.1, figures 13 and 14. */
const AT_THE_RESOURCE = `${HEADER}.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA`;
const TOKEN = 'Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU';
/** §6.1. */
const JKT = '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I';
const ES256 = new Set(['ES256']);

it('§4.2: the proof of figure 2 has the key and the claims of figure 3', () => {
  const proof = openProof(AT_THE_TOKEN_ENDPOINT, ES256);
  expect(proof.claims).toEqual({
    jti: '-BwC3ESc6acc2lTc',
    htm: 'POST',
    htu: 'https://server.example.com/token',
    iat: 1562262616,
  });
  expect(proof.thumbprint).toBe(JKT);
  expect(proof.isSigned()).toBe(true);
  const request = { method: 'POST', url: '/token', headers: {} };
  expect(createTargetJudge(['https://server.example.com'])(String(proof.claims.htu), request)).toBe(true);
});

it('§4.2: the proof of figure 2 is not one of another header', () => {
  const [, payload, signature] = AT_THE_RESOURCE.split('.');
  expect(openProof(`${HEADER}.${payload}.${signature}`, ES256).isSigned()).toBe(true);
  const changed = openProof(`${HEADER}.${AT_THE_TOKEN_ENDPOINT.split('.')[1]}.${signature}`, ES256);
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
  const headers = { authorization: `DPoP ${token}`, dpop: AT_THE_RESOURCE };
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
