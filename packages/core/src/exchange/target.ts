// What a token is asked for: audience, resource and scope, in the options of an exchange and in a
// call.
import { ConfigError } from '../errors.ts';
import { object, oneOrMany, optional, type ReadBy, refined, type TableOf, text } from '../values/option.ts';

/** What a token is asked for. Each replaces the value in the options of the exchange. */
export interface ExchangeTarget {
  /** The logical names of the target services: `audience` of RFC 8693 §2.1. */
  readonly audience?: string | readonly string[];
  /** The absolute URIs of the target services: `resource` of RFC 8707 §2. */
  readonly resource?: string | readonly string[];
  /** The scopes to ask for: one text, or a list. Default: the server decides. */
  readonly scope?: string | readonly string[];
}

/** What a token is asked for, checked. */
export interface TargetSettings {
  readonly audience: readonly string[];
  readonly resource: readonly string[];
  readonly scopes: readonly string[];
}

const texts = oneOrMany(text);
// RFC 8707 §2: an absolute URI without a fragment.
const resource = refined(text, (value, path) => {
  if (!URL.canParse(value) || value.includes('#'))
    throw new ConfigError(path, 'expected an absolute URI without #, such as https://api.example.com');
  return value;
});

/** The options of a target. */
export const TARGET = {
  audience: optional(texts, 'The logical names of the target services.'),
  resource: optional(oneOrMany(resource), 'The absolute URIs of the target services.'),
  scope: optional(texts, 'The scopes to ask for.'),
} satisfies TableOf<ExchangeTarget>;

const target = object(TARGET);

/**
 * Checks what one token is asked for.
 * @param path its place in the options
 * @throws ConfigError
 */
export function readTarget(
  value: unknown,
  path: string,
): { readonly [Name in keyof TargetSettings]: TargetSettings[Name] | undefined } {
  const { audience, resource: uris, scope } = target.read(value, path);
  return {
    audience: audience === undefined ? undefined : many(audience),
    resource: uris === undefined ? undefined : many(uris),
    scopes: scope === undefined ? undefined : scopesOf(scope),
  };
}

/** Completes the target in the options of an exchange. */
export function completeTarget({
  audience = [],
  resource: uris = [],
  scope = [],
}: ReadBy<typeof TARGET>): TargetSettings {
  return { audience: many(audience), resource: many(uris), scopes: scopesOf(scope) };
}

const many = (value: string | readonly string[]) => (typeof value === 'string' ? [value] : value);

/** RFC 6749 §3.3: space-delimited. In one order, so that equal sets of scopes are one token. */
function scopesOf(value: string | readonly string[]): readonly string[] {
  const scopes = many(value).flatMap((scope) => scope.split(' '));
  return [...new Set(scopes.filter((scope) => scope !== ''))].sort();
}
