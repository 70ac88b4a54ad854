// What the marks of a route come to: each authenticator that decides there, with all that it is
// asked. No OpenAPI is written here.
import type { PassedMark } from '../adapter/route-report.ts';
import { type ClaimCheck, type CompiledRules, checksIn } from '../claims/compile.ts';
import { ALWAYS } from '../claims/enforce.ts';
import type { AuthenticationMode } from '../decision/access.ts';
import { partsOf } from '../decision/notice-parts.ts';
import type { RouteRequirements } from '../decision/requirements.ts';
import type { AuthenticatorSettings } from '../decision/settings.ts';
import { sourcesOf } from '../decision/sources.ts';

/** What is asked of one authenticator on a route. */
export interface Asked {
  readonly rules: readonly CompiledRules<unknown>[];
  readonly requires: readonly RouteRequirements[];
}

/** One authenticator that decides on a route. */
export interface Guard extends Asked {
  readonly by: object;
  readonly mode: AuthenticationMode;
}

/** An authenticator of its own, and what it is asked. */
export interface Judge extends Asked {
  /** Undefined for an authenticator that an application has written. */
  readonly settings: AuthenticatorSettings | undefined;
}

const UNKNOWN: object = Object.freeze({});

/** Collects the authenticators that decide on a route, each once. */
export function guardsOf(passed: readonly PassedMark[]): readonly Guard[] {
  const guards = new Map<object, Guard>();
  let last: object | undefined;
  const add = (by: object, mode: AuthenticationMode, more: Partial<Asked>) => {
    const before = guards.get(by);
    guards.set(by, {
      by,
      mode: before?.mode === 'strict' ? 'strict' : mode,
      rules: [...(before?.rules ?? []), ...(more.rules ?? [])],
      requires: [...(before?.requires ?? []), ...(more.requires ?? [])],
    });
  };
  for (const { mark } of passed) {
    if (mark.kind === 'authenticate') {
      last = mark.by ?? UNKNOWN;
      const { mode, requires } = mark;
      add(last, mode, requires === undefined ? {} : { requires: [requires] });
    }
    // Without an authenticator before them, rules have nothing to judge.
    if (mark.kind === 'claims' && mark.rules !== undefined && last !== undefined)
      add(last, guards.get(last)?.mode ?? 'strict', { rules: [mark.rules] });
  }
  return [...guards.values()];
}

/** The authenticators inside a combination, or the one that is none, with what each is asked. */
export function judgesOf(by: object, asked: Asked): readonly Judge[] {
  const sources = sourcesOf(by);
  if (sources === undefined) return [judgeOf(by, asked)];
  return sources.parts.flatMap(({ authenticator, claims }) =>
    judgesOf(authenticator, withRules(asked, claims)),
  );
}

/** The same with the rules of a source. */
export function withRules(asked: Asked, rules: CompiledRules | undefined): Asked {
  return rules === undefined ? asked : { ...asked, rules: [...asked.rules, rules] };
}

/** One authenticator that is not combined. Named routes are looked up in its options. */
export function judgeOf(by: object, { rules, requires }: Asked): Judge {
  const settings = partsOf(by)?.[0]?.settings;
  const named = rules.flatMap(({ route }) =>
    route === undefined ? [] : (settings?.routes.get(route) ?? []),
  );
  return {
    settings,
    rules: [...rules.filter(({ route }) => route === undefined), ...named.map(({ claims }) => claims)],
    requires: [...requires, ...named.map((one) => one.requires)],
  };
}

/**
 * The rules of a route one by one, without those on every token. Each says from when on it is
 * enforced, also where `enforce` is that of the whole access.
 */
export function checksOf({ rules }: Asked): readonly ClaimCheck[] {
  return rules.flatMap((one) => checksIn(one).map((check) => enforcedLater(check, one)));
}

function enforcedLater(
  check: ClaimCheck,
  { enforcedFromMs: all = ALWAYS }: CompiledRules<unknown>,
): ClaimCheck {
  const enforcedFromMs = Math.max(all, check.enforcedFromMs);
  return { ...check, enforcedFromMs, rule: { ...check.rule, enforcedFromMs } };
}
