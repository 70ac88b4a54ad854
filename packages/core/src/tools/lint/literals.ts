// Lint rules about the text of a descriptor: secrets that are written in it, and variables. A
// finding never contains any part of a secret.

import { holdsSecret } from '../../jwk/import-key.ts';
import { isJsonObject } from '../../values/json.ts';
import type { UncheckedOptions } from '../../values/readers.ts';
import { itemsOf, keysetsOf, type LintRule, membersOf, type Spot, spotIf, textsIn } from './rule.ts';

/** The rules about the text as written, before variables are replaced. */
export const literalRules: readonly LintRule[] = [
  {
    id: 'private-key-in-descriptor',
    severity: 'error',
    message: 'a private or symmetric key is in the descriptor: every reader of the file can sign',
    fix: 'make a new key with `latchkey jwks generate`, which keeps it in a secret; stop using this one',
    find: (jwt) => [
      ...jwksOf(jwt).flatMap(({ path, keys }) =>
        keys.flatMap((key, index) => spotIf(isExposed(key), `${path}.keys[${index}]`)),
      ),
      ...textSpots(jwt, (text) => /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(text)),
    ],
  },
  {
    id: 'token-in-descriptor',
    severity: 'error',
    message: 'a token is in the descriptor: every reader of the file can use it',
    fix: 'keep it in a secret; let its issuer revoke this one',
    find: (jwt) =>
      textSpots(jwt, (text) =>
        /(?:^|\s)eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*(?:$|\s)/.test(text),
      ),
  },
  {
    id: 'password-in-url',
    severity: 'error',
    message: 'a user name and password, or a key, are in a URL: it ends up in logs',
    fix: 'remove it; keep the credentials in a secret, or in an environment variable',
    find: (jwt) => textSpots(jwt, hasCredentials),
  },
  {
    id: 'secret-in-descriptor',
    severity: 'error',
    message: 'the descriptor contains a value that looks like a secret',
    fix: 'write `secret: { name: …, key: … }`, and create it with `latchkey secrets create`',
    find: (jwt) => [...secretLiterals(jwt, '')],
  },
];

/** The variables in the text, with their paths. */
export function variablesIn(
  jwt: UncheckedOptions,
): readonly { readonly path: string; readonly name: string }[] {
  return [...textsIn(jwt)].flatMap(({ path, text }) =>
    [...text.matchAll(/\$\{([A-Z_][A-Z0-9_]*)\}/g)].flatMap(([, name]) =>
      name === undefined ? [] : [{ path, name }],
    ),
  );
}

/** True for a JWK with private members. */
export function isExposed(jwk: unknown): boolean {
  return isJsonObject(jwk) && holdsSecret(jwk);
}

function jwksOf(
  jwt: UncheckedOptions,
): readonly { readonly path: string; readonly keys: readonly unknown[] }[] {
  return [
    ...keysetsOf(jwt).map(({ path, value }) => ({ path: `${path}.jwks`, jwks: value.jwks })),
    { path: 'signing.jwks', jwks: membersOf(jwt.signing).jwks },
  ].map(({ path, jwks }) => ({ path, keys: itemsOf(membersOf(jwks).keys) }));
}

function textSpots(jwt: UncheckedOptions, is: (text: string) => boolean): readonly Spot[] {
  return [...textsIn(jwt)].filter(({ text }) => is(text)).map(({ path }) => ({ path }));
}

function hasCredentials(text: string): boolean {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return false;
  const { username, password, searchParams } = new URL(text);
  const secret = /^(?:.*[-_])?(?:key|apikey|token|secret|password|sig|code)$/i;
  return (
    username !== '' ||
    password !== '' ||
    [...searchParams].some(([name, value]) => secret.test(name) && value !== '' && !/\{[A-Za-z_]/.test(value))
  );
}

/**
 * Members that are named like a secret and have a literal text. `claims` and `routes` are skipped:
 * their members are named by the user.
 */
function* secretLiterals(value: unknown, path: string): Generator<Spot> {
  for (const [index, item] of itemsOf(value).entries()) yield* secretLiterals(item, `${path}[${index}]`);
  for (const [name, member] of Object.entries(membersOf(value))) {
    const at = path === '' ? name : `${path}.${name}`;
    if (path === '' && (name === 'claims' || name === 'routes')) continue;
    const isSecret = /^(?:(?:client_?)?secret|password|passphrase|api_?key|(?:bearer_?)?token)$/i.test(name);
    if (isSecret && typeof member === 'string' && member !== '' && !member.includes('${')) yield { path: at };
    else yield* secretLiterals(member, at);
  }
}
