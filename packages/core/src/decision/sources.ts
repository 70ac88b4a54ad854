// How a combined authenticator is made of others, for descriptions of it. Decides about no request.
import type { CompiledRules } from '../claims/compile.ts';
import { sharedState } from '../values/copies.ts';

/** The sources of a combined authenticator. */
export interface Sources {
  /** `all` of the tokens are needed, or `any` of them. */
  readonly needs: 'all' | 'any';
  readonly parts: readonly {
    readonly authenticator: object;
    /** The rules on its principal. */
    readonly claims: CompiledRules | undefined;
  }[];
}

const known = sharedState('sources', () => new WeakMap<object, Sources>());

/** Notes the sources of a combined authenticator. */
export function noteSources(combined: object, sources: Sources): void {
  known.set(combined, sources);
}

/** The sources of an authenticator; undefined for one that is not combined. */
export function sourcesOf(authenticator: object): Sources | undefined {
  return known.get(authenticator);
}
