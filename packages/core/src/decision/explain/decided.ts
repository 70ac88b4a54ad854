// What the pipeline says of a token or a request, asked like for any: explanations are of this, and decide nothing themselves.

import { type CompiledRules, needsRequest } from '../../claims/compile.ts';
import { parametersOf, type RequestView } from '../../credentials/request.ts';
import { AuthError, type AuthErrorCode, isAuthError } from '../../errors.ts';
import type { JsonObject } from '../../values/json.ts';
import { authorize } from '../authorize.ts';
import type { Settings } from '../options.ts';
import type { Principal } from '../principal.ts';
import type { KeysAsked } from './keys.ts';

/** The pipeline, and what it is made of. */
export interface Explained {
  readonly settings: Settings;
  readonly keys: KeysAsked;
  readonly systemKeysets: ReadonlySet<unknown>;
  /** What a remote endpoint says of a token: undefined, it refuses it. */
  readonly askRemote: ((token: string) => Promise<JsonObject | undefined>) | undefined;
  authenticate(request: RequestView): Promise<Principal | undefined>;
  verify(token: string): Promise<Principal>;
}

/** What comes of a token or a request. */
export interface Outcome {
  readonly allowed: boolean;
  /** 200, or what the request is answered with. */
  readonly status: number;
  /** Undefined where it is allowed. */
  readonly code: AuthErrorCode | undefined;
  readonly detail: string | undefined;
}

/** An outcome, and whose token it was. */
export interface Decided extends Outcome {
  readonly principal: Principal | undefined;
}

/** Decides. @throws what is no refusal */
export async function decide(
  subject: string | RequestView,
  rules: CompiledRules | undefined,
  { authenticate, verify, settings }: Explained,
): Promise<Decided> {
  let principal: Principal | undefined;
  try {
    principal = await (typeof subject === 'string' ? verify(subject) : authenticate(subject));
    const request = typeof subject === 'string' ? undefined : parametersOf(subject);
    if (rules !== undefined) {
      if (request === undefined && needsRequest(rulesOf(rules, settings)))
        throw new AuthError('claims_insufficient', {
          detail: 'a rule compares with the request, and there is none',
        });
      authorize(principal, rules, request);
    }
    return { principal, allowed: true, status: 200, code: undefined, detail: undefined };
  } catch (error) {
    if (!isAuthError(error)) throw error;
    const { code, status, detail } = error;
    return { principal, allowed: false, status, code, detail };
  }
}

/** The rules themselves, where they are a route's. */
export function rulesOf(rules: CompiledRules, { routes }: Settings): CompiledRules<unknown> {
  return rules.route === undefined ? rules : (routes.get(rules.route)?.claims ?? rules);
}
