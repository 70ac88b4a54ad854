// Sends the request of a case, and checks the answer.
import { AuthError } from '@latchkey/core';
import { expect } from 'vitest';
import type { SentRequest, Started } from './application.ts';
import type { ConformanceCase, Expectation, Variant } from './cases.ts';
import { type Exchange, headerValues } from './exchange.ts';
import { proofFor } from './proofs.ts';
import { canary, type TokenName, tokens, type World } from './tokens.ts';
import { challengeOf } from './variants.ts';

/** The request of a case, with its tokens and proofs. */
export type CaseRequest = SentRequest;

/**
 * Makes the request of a case, and sends it: see `requestOf` and `deliver`.
 * @param used gets the tokens and proofs that were sent, by name
 */
export async function send(
  testCase: Omit<ConformanceCase, 'name'>,
  served: ReadonlyMap<Variant, Started>,
  world: World,
  used: Map<string, string>,
): Promise<Exchange> {
  return deliver(testCase.authenticator, await requestOf(testCase, served, world, used), served);
}

/**
 * Makes the request of a case.
 * @param used gets the tokens and proofs that are in it, by name
 */
export async function requestOf(
  {
    authenticator,
    method = 'GET',
    path: written,
    headers: named = [],
    proofs = [],
    certificate,
  }: Omit<ConformanceCase, 'name'>,
  served: ReadonlyMap<Variant, Started>,
  world: World,
  used: Map<string, string>,
): Promise<CaseRequest> {
  const path = await fill(written, world, used);
  const headers: [string, string][] = [];
  for (const [header, value] of named) headers.push([header, await fill(value, world, used)]);
  const proven: [string, string][] = [];
  const askNonce = async (proof: string) => {
    const asked = { method, path, headers: [...headers, ['DPoP', proof] as const], certificate };
    return headerValues(await deliver(authenticator, asked, served), 'DPoP-Nonce')[0];
  };
  for (const proof of proofs) {
    const token = await fill(`{${proof.token ?? 'bound to the key'}}`, world, used);
    const make = (nonce: string | undefined) => proofFor(proof, { world, method, path, token, nonce });
    const made = await make(proof.nonce === 'served' ? await askNonce(await make(undefined)) : proof.nonce);
    used.set(`proof ${proven.length}`, made);
    proven.push(['DPoP', made]);
  }
  return { method, path, headers: [...headers, ...proven], certificate };
}

/** Sends a request, and waits until the application has finished with it. */
export async function deliver(
  authenticator: Variant = 'strict',
  request: CaseRequest,
  served: ReadonlyMap<Variant, Started>,
): Promise<Exchange> {
  const server = served.get(authenticator);
  if (server === undefined) throw new Error(`no server for ${authenticator}`);
  const answer = await server.send(request);
  await server.openRequests();
  return answer;
}

/**
 * Checks the answer to a case.
 * @param handled the paths of the handlers that ran
 * @param used the tokens that were sent
 */
export function judge(
  {
    authenticator,
    expect: expected,
  }: { readonly authenticator?: Variant | undefined; readonly expect: Expectation },
  answer: Exchange,
  handled: readonly string[],
  used: readonly string[],
): void {
  if ('code' in expected) {
    const { code, ...challenge } = expected;
    expectRefusal(answer, new AuthError(code, { ...challengeOf(authenticator), ...challenge }));
    expect(handled, 'handlers that ran').toEqual([]);
    expectNoTokenData(answer, used);
  } else if ('notHandled' in expected) {
    expect(handled, 'handlers that ran').toEqual([]);
    expect(answer.status).toBeLessThan(500);
  } else {
    expect(answer.status).toBe(expected.status);
    expect(handled.length, 'handlers that ran').toBe((expected.handled ?? true) ? 1 : 0);
    for (const [header, value] of Object.entries(expected.headers ?? {})) {
      expect(headerValues(answer, header), header).toEqual([value]);
    }
    for (const header of expected.without ?? []) expect(headerValues(answer, header), header).toEqual([]);
    if (expected.mediaType !== undefined)
      expect(headerValues(answer, 'content-type').map((value) => value.split(';')[0])).toEqual([
        expected.mediaType,
      ]);
    const text = Buffer.from(answer.body, 'latin1').toString('utf8');
    if (expected.text !== undefined) expect(text).toBe(expected.text);
    if (expected.ends !== undefined) expect(text.slice(-expected.ends.length)).toBe(expected.ends);
    if (expected.body !== undefined) expect(JSON.parse(text)).toMatchObject(expected.body);
  }
}

/** Replaces names by tokens: equal names in one request get the same token. */
async function fill(value: string, world: World, used: Map<string, string>): Promise<string> {
  let filled = value;
  for (const [placeholder, name = ''] of value.matchAll(/\{([^}]+)\}/g)) {
    const token = used.get(name) ?? (await tokens[name as TokenName](world));
    used.set(name, token);
    filled = filled.replace(placeholder, token);
  }
  return filled;
}

/**
 * T-089: checks the status and every header of the error. The framework determines the text of the
 * body.
 */
function expectRefusal(answer: Exchange, error: AuthError): void {
  expect({ status: answer.status, challenge: headerValues(answer, 'WWW-Authenticate') }).toEqual({
    status: error.status,
    challenge: 'WWW-Authenticate' in error.headers ? [error.headers['WWW-Authenticate']] : [],
  });
  expect(headerValues(answer, 'Cache-Control')).toEqual(['no-store']);
  if (error.code === 'proof_nonce_required')
    expect(headerValues(answer, 'DPoP-Nonce')).toEqual([expect.stringMatching(/^[\w-]{22}$/)]);
  if (error.status === 503) expect(Number(headerValues(answer, 'Retry-After')[0])).toBeGreaterThan(0);
}

/** T-087: the answer contains neither a segment of a token nor a claim in clear. */
function expectNoTokenData(answer: Exchange, used: readonly string[]): void {
  expect(answer.raw).not.toContain(canary);
  for (const segment of used.flatMap((token) => token.split('.')).filter(({ length }) => length > 8)) {
    expect(answer.raw).not.toContain(segment);
  }
}
