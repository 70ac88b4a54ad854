// `enforce`: from when on a rule refuses, or the access of a route. Until then, what would be
// refused is reported, and passes.
import { ConfigError } from '../errors.ts';
import type { Clock } from '../values/clock.ts';
import { type Effect, type Judge, verdict } from '../values/judge.ts';
import { kindOf } from '../values/kind.ts';
import { type Kind, patternSchema, shared } from '../values/option.ts';
import { isPlainObject, readObject } from '../values/readers.ts';

/**
 * `false`: what would be refused is reported, and passes. With `from`, it is refused from that time
 * on, by the clock of the options.
 */
export type Enforcement =
  | false
  | {
      /** A date, or a date and a time, of ISO 8601; UTC, unless it names a time zone. */
      readonly from: string;
    };

/** The time from which on a rule without `enforce` is enforced. */
export const ALWAYS: number = Number.NEGATIVE_INFINITY;
/** The time from which on something with `enforce: false` is enforced. */
export const NEVER: number = Number.POSITIVE_INFINITY;

/** Claims that the options check, and that no rule makes less strict. */
const ALWAYS_ENFORCED: readonly string[] = ['iss', 'aud', 'exp', 'nbf', 'iat', 'cnf'];

/** A date, a time and a time zone of ISO 8601. */
const PARTS = /^(\d{4}-\d{2}-\d{2})(?:(T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?)(Z|[+-]\d{2}:\d{2})?)?$/;

const EXPECTED = "expected false, or { from: '2026-12-31' }";

/** True from the given time on. With a clock that gives no time, it is always true. */
export function isEnforced(fromMs: number, clock: Clock = Date): boolean {
  return fromMs === ALWAYS || !(clock.now() < fromMs);
}

/** Says until when nothing is refused. */
export function enforcedText(fromMs: number): string {
  return fromMs === NEVER ? 'report only' : `report only until ${new Date(fromMs).toISOString()}`;
}

/** The time from which on it is enforced, in milliseconds since the epoch. @throws ConfigError */
export function readEnforcement(value: unknown, path: string): number {
  if (value === false) return NEVER;
  if (value === true) throw new ConfigError(path, `${EXPECTED}; leave it out to enforce the rule`);
  if (!isPlainObject(value)) throw new ConfigError(path, `${EXPECTED}, got ${kindOf(value)}`);
  return readTime(readObject(value, ['from'], path).from, `${path}.from`);
}

function readTime(value: unknown, path: string): number {
  const [, date, time, zone = 'Z'] = (typeof value === 'string' ? PARTS.exec(value) : null) ?? [];
  const isDate = date !== undefined && new Date(date).toJSON()?.slice(0, date.length) === date;
  const timeMs = isDate ? Date.parse(time === undefined ? date : `${date}${time}${zone}`) : Number.NaN;
  if (Number.isFinite(timeMs)) return timeMs;
  throw new ConfigError(
    path,
    `expected a date such as '2026-12-31', or '2026-12-31T08:00:00Z', got ${kindOf(value)}`,
  );
}

/** Refuses `enforce` for a rule on a claim that the options check. @throws ConfigError */
export function refuseAlwaysEnforced(claim: string | undefined, path: string): void {
  if (claim === undefined || !ALWAYS_ENFORCED.includes(claim)) return;
  throw new ConfigError(
    `${path}.enforce`,
    `${claim} is always enforced: it says whether the token is for this service at all; remove enforce`,
  );
}

/** The change of `enforce` from one value to another: later opens, sooner closes. */
const enforcementJudge: Judge = (before, after) => {
  const [was, is] = [fromOf(before), fromOf(after)];
  if (was !== undefined && is !== undefined)
    return enforcementChange(was, is).map(({ effect, says }) => verdict(effect, says, after));
  const says = 'enforced from another time';
  return [verdict('opens', says, after), verdict('closes', says, after)];
};

/** What another time does, from which on something is enforced. */
export function enforcementChange(
  wasMs: number,
  isMs: number,
): readonly { readonly effect: Effect; readonly says: string }[] {
  if (wasMs === isMs) return [];
  if (isMs > wasMs) return [{ effect: 'opens', says: enforcedText(isMs) }];
  const from = isMs === ALWAYS ? '' : ` from ${new Date(isMs).toISOString()}`;
  return [{ effect: 'closes', says: `enforced${from}` }];
}

/** Undefined for a value that cannot be read, such as a variable. */
function fromOf(value: unknown): number | undefined {
  if (value === undefined) return ALWAYS;
  try {
    return readEnforcement(value, '');
  } catch {
    return undefined;
  }
}

/** `enforce`, as the time from which on it is enforced. */
export const enforcement: Kind<number> = {
  read: readEnforcement,
  judge: enforcementJudge,
  schema: shared('enforcement', {
    description:
      'false: what would be refused is reported, and passes. With from, it is refused from that date on; a date without a time zone is UTC.',
    anyOf: [
      { const: false },
      {
        type: 'object',
        additionalProperties: false,
        required: ['from'],
        properties: {
          from: {
            description: 'A date, or a date and a time, of ISO 8601; UTC, unless it names a time zone.',
            ...patternSchema(PARTS.source),
          },
        },
      },
    ],
  }),
};
