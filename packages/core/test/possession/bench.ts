// A service whose tokens are bound to a key, and requests to it, for the tests of this folder.
import {
  createClock,
  createDpopKey,
  type DpopKey,
  generateSigningKey,
  type MintClaims,
  mint,
  type ProofParts,
  type SigningKey,
  type TestClock,
} from '@latchkey/testing';
import { onTestFinished } from 'vitest';
import type { RequestView } from '../../src/credentials/request.ts';
import type { RouteAccess } from '../../src/decision/access.ts';
import type { Authenticator } from '../../src/decision/authenticator.ts';
import { createAuthenticator, principalOf } from '../../src/decision/authenticator.ts';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import { type AuthError, isAuthError } from '../../src/errors.ts';

export const PUBLIC = 'https://api.example.com';
const ISSUER = 'https://issuer.example';
const AUDIENCE = 'https://api.example.com';

/** What a test varies of a request. */
export interface Asked extends Partial<Omit<ProofParts, 'token'>> {
  readonly path?: string;
  readonly scheme?: string;
  /** The headers `DPoP`. Default: one proof for the request. */
  readonly proofs?: readonly string[];
  /** The token that the proof is for. Default: that of the request. */
  readonly ofToken?: string;
  readonly view?: Partial<RequestView>;
}

export interface Bench {
  readonly authenticator: Authenticator;
  readonly clock: TestClock;
  readonly key: DpopKey;
  readonly signer: SigningKey;
  /** A token that is bound to the key. */
  readonly token: string;
  /** Signs claims for the service. */
  tokenOf(claims: MintClaims): Promise<string>;
  /** A request with a token and a proof. */
  request(token: string, asked?: Asked): Promise<RequestView>;
  /** The outcome of a request: `accepted`, or the code of the refusal. */
  ask(token: string, asked?: Asked, access?: RouteAccess): Promise<string>;
}

/** The headers of a request as Node has them. */
export function viewOf(
  method: string,
  url: string,
  pairs: readonly (readonly [name: string, value: string])[],
): RequestView {
  const headers: Record<string, string> = {};
  // Node keeps the first Authorization, and joins the values of a name that it does not know.
  for (const [name, value] of pairs) {
    const lower = name.toLowerCase();
    const before = headers[lower];
    headers[lower] =
      before === undefined ? value : lower === 'authorization' ? before : `${before}, ${value}`;
  }
  return { method, url, headers, rawHeaders: pairs.flat() };
}

/** Makes a service with `dpop`, and closes it after the test. */
export async function bench(
  options: Partial<AuthenticatorOptions> & { readonly dpop?: AuthenticatorOptions['dpop'] } = {},
): Promise<Bench> {
  const clock = createClock();
  const [key, signer] = await Promise.all([createDpopKey(), generateSigningKey()]);
  const authenticator = createAuthenticator({
    keySets: [{ issuer: ISSUER, jwks: { keys: [signer.publicJwk] } }],
    audience: AUDIENCE,
    dpop: { mode: 'allowed', publicUrl: PUBLIC },
    clock,
    ...options,
  } as AuthenticatorOptions);
  onTestFinished(() => authenticator.close());
  const tokenOf = (claims: MintClaims) => {
    const at = Math.floor(clock.now() / 1000);
    return mint(signer, { iss: ISSUER, aud: AUDIENCE, sub: 'alice', iat: at, exp: at + 86_400, ...claims });
  };
  const token = await tokenOf({ cnf: key.cnf });
  const request: Bench['request'] = async (sent, asked = {}) => {
    const {
      path = '/orders',
      scheme = 'DPoP',
      method = 'GET',
      proofs,
      ofToken = sent,
      view,
      ...parts
    } = asked;
    const own = await key.proof({
      method,
      url: `${PUBLIC}${path}`,
      token: ofToken,
      atMs: clock.now(),
      ...parts,
    });
    const headers = (proofs ?? [own]).map((proof) => ['DPoP', proof] as const);
    return { ...viewOf(method, path, [['Authorization', `${scheme} ${sent}`], ...headers]), ...view };
  };
  return {
    ...{ authenticator, clock, key, signer, token, tokenOf, request },
    ask: async (sent, asked, access = {}) => outcomeOf(authenticator, await request(sent, asked), access),
  };
}

/** The outcome of a request: `accepted`, or the code of the refusal. */
export async function outcomeOf(
  authenticator: Authenticator,
  request: RequestView,
  access: RouteAccess = {},
): Promise<string> {
  const refusal = await refusalOf(authenticator, request, access);
  return refusal?.code ?? 'accepted';
}

/** The refusal of a request. */
export async function refusalOf(
  authenticator: Authenticator,
  request: RequestView,
  access: RouteAccess = {},
): Promise<AuthError | undefined> {
  try {
    principalOf(await authenticator.decide(request, access));
    return undefined;
  } catch (error) {
    if (!isAuthError(error)) throw error;
    return error;
  }
}
