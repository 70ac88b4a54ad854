// Lint rules about tokens: audience, times, places, claim rules. Rules about the keys that verify
// them are in keysets.ts.
import { listOf } from '../../values/judge.ts';
import type { UncheckedOptions } from '../../values/readers.ts';
import { isOpen, matchesAll, needsAudience, pinsClient, sharedIn } from './pins.ts';
import {
  isLonger,
  itemsOf,
  keysetsOf,
  keysOf,
  type LintRule,
  membersOf,
  partsIn,
  ruleSetsOf,
  type Spot,
  spotIf,
} from './rule.ts';

const WIDE_SKEW_MS = 30_000;
/** The claims in which Cognito and Keycloak tell ID tokens from access tokens. */
const ID_TOKENS = [
  ['token_use', 'id'],
  ['typ', 'ID'],
] as const;

/** The rules about tokens, with their paths. */
export const tokenRules: readonly LintRule[] = [
  {
    id: 'audience-unset',
    severity: 'warning',
    message: 'there is no audience: unless the application sets one, tokens for other services are accepted',
    fix: 'add `audience:` with the aud that issuers use for this service',
    find: (jwt) =>
      spotIf(
        jwt.audience === undefined && jwt.resource === undefined && needsAudience(jwt),
        '',
        sharedIn(jwt).map((issuer) => `anyone can get tokens of ${issuer}`)[0],
      ),
  },
  {
    id: 'audience-null',
    severity: 'warning',
    message: 'aud is not checked: tokens for other services are accepted',
    fix: 'write the aud that issuers use for this service',
    find: (jwt) => [
      ...spotIf(jwt.audience === null && needsAudience(jwt), 'audience'),
      ...keysetsOf(jwt).flatMap((keyset) => {
        const { path, value } = keyset;
        const isBad = value.audience === null && !pinsClient(jwt, value) && !isOpen(jwt, keyset);
        return spotIf(isBad, `${path}.audience`, String(value.issuer ?? 'any issuer'));
      }),
    ],
  },
  {
    id: 'clock-skew-wide',
    severity: 'warning',
    message: 'tokens are accepted for more than 30s after they have expired',
    fix: 'write 5s, which is the default, and synchronise clocks by NTP',
    find: (jwt) => spotIf(isLonger(jwt.clockSkew, WIDE_SKEW_MS), 'clockSkew'),
  },
  {
    id: 'mode-permissive',
    severity: 'warning',
    message: 'a request with an invalid token continues as an anonymous one',
    fix: 'write strict once all callers have valid tokens; until then, no handler may rely on the mode',
    find: (jwt) => spotIf(jwt.mode === 'permissive', 'mode'),
  },
  {
    id: 'mode-optional',
    severity: 'warning',
    message: 'a request without a token continues as an anonymous one, unless a rule requires a token',
    fix: 'write strict, and set optional only on public routes',
    find: (jwt) => spotIf(jwt.mode === 'optional', 'mode'),
  },
  {
    id: 'exp-not-required',
    severity: 'warning',
    message: 'a token that never expires is accepted forever',
    fix: 'remove requireExp; or add maxTokenAge, which limits tokens without exp',
    find: (jwt) =>
      spotIf(
        jwt.requireExp === false &&
          jwt.maxTokenAge === undefined &&
          (keysOf(jwt).length > 0 ||
            !keysetsOf(jwt).every(
              ({ value }) => value.maxTokenAge !== undefined || value.maxLifetime !== undefined,
            )),
        'requireExp',
      ),
  },
  {
    id: 'audience-of-route-unknown',
    severity: 'warning',
    message: 'audMatch only refuses every token for this route: its audience is none of the service',
    fix: 'add it to `audience:`, or remove audMatch',
    find: (jwt) => {
      const ours = [jwt, ...keysetsOf(jwt).map(({ value }) => value)].flatMap(({ audience }) =>
        listOf(audience ?? undefined),
      );
      return Object.entries(membersOf(jwt.routes)).flatMap(([name, asked]) => {
        const names = listOf(membersOf(asked).audience);
        const isUnknown = names.length > 0 && !names.some((one) => ours.includes(one));
        return spotIf(jwt.audMatch === 'only' && ours.length > 0 && isUnknown, `routes.${name}.audience`);
      });
    },
  },
  {
    id: 'unsafe-sender-constrained',
    severity: 'warning',
    message: 'tokens that are bound to a key of their sender are accepted from any sender',
    fix: 'remove it, and set dpop, which checks the binding; or let the gateway in front check it',
    find: (jwt) => spotIf(jwt.unsafeAcceptSenderConstrained === true, 'unsafeAcceptSenderConstrained'),
  },
  {
    id: 'id-tokens',
    severity: 'warning',
    message: 'ID tokens are accepted: they say to a client who signed in, and nothing of what it may do here',
    fix: 'let clients send access tokens, and require those: `token_use: access` (Cognito), `typ: Bearer` (Keycloak)',
    find: idTokens,
  },
  {
    id: 'token-in-query',
    severity: 'warning',
    message: 'a token in a URL ends up in logs, histories and referrers',
    fix: 'let clients send Authorization: Bearer, and remove this place',
    find: (jwt) => carriers(jwt, 'query', () => true),
  },
  {
    id: 'cookie-without-host-prefix',
    severity: 'warning',
    message: 'another host of the domain can set this cookie',
    fix: 'give it a name that begins with __Host-, which browsers bind to this host and to https',
    find: (jwt) => carriers(jwt, 'cookie', (name) => !name.startsWith('__Host-')),
  },
  {
    id: 'cookie-origin-in-clear',
    severity: 'warning',
    message:
      'pages of an http origin, which any host on the network path can change, may send requests with side effects',
    fix: 'name its https origin',
    find: (jwt) =>
      partsIn(jwt.tokenFrom, 'tokenFrom').flatMap(({ path, value }) =>
        itemsOf(value.allowedOrigins).flatMap((origin, index) =>
          spotIf(
            typeof origin === 'string' && /^http:\/\/(?!localhost(?::|$)|127\.|\[::1\])/i.test(origin),
            `${path}.allowedOrigins[${index}]`,
          ),
        ),
      ),
  },
  {
    id: 'pattern-unanchored',
    severity: 'warning',
    message: 'a claim with only a matching part is accepted',
    fix: 'remove `match: search`, so that the whole claim must match; or begin the pattern with ^ and end it with $',
    find: (jwt) =>
      patternsOf(jwt)
        .filter(({ search, source }) => search && !isAnchored(source))
        .map(({ path }) => ({ path })),
  },
  {
    id: 'pattern-matches-all',
    severity: 'warning',
    message: 'every text matches this pattern',
    fix: 'write a pattern for the claim; or `present: true`, if it only needs to exist',
    find: (jwt) =>
      patternsOf(jwt)
        .filter(({ source }) => matchesAll(source))
        .map(({ path }) => ({ path })),
  },
  {
    id: 'system-without-keys',
    severity: 'warning',
    message:
      'no keyset has system: true, so no token can be of the system, and calls of the system are refused',
    fix: "add `system: true` to the keyset of the system's own tokens",
    find: (jwt) =>
      spotIf(
        jwt.systemSubject !== undefined &&
          membersOf(jwt.remote).system !== true &&
          !keysetsOf(jwt).some(({ value }) => value.system === true),
        'systemSubject',
      ),
  },
];

function carriers(
  jwt: UncheckedOptions,
  kind: 'query' | 'cookie',
  is: (name: string) => boolean,
): readonly Spot[] {
  return partsIn(jwt.tokenFrom, 'tokenFrom').flatMap(({ path, value }) => {
    const name = value[kind];
    return spotIf(typeof name === 'string' && is(name), `${path}.${kind}`);
  });
}

/** The rules that only ID tokens satisfy. */
function idTokens(jwt: UncheckedOptions): readonly Spot[] {
  return ruleSetsOf(jwt).flatMap(({ path, rules }) => {
    const members = membersOf(rules);
    return ID_TOKENS.flatMap(([claim, kind]) => [
      ...spotIf(members[claim] === kind, `${path}.${claim}`),
      ...partsIn(rules, path).flatMap(({ path: row, value }) =>
        spotIf(value.name === claim && value.value === kind, row),
      ),
    ]);
  });
}

interface Pattern {
  readonly path: string;
  readonly source: string;
  readonly search: boolean;
}

/** All patterns in rules, of issuers and of actors. */
function patternsOf(jwt: UncheckedOptions): readonly Pattern[] {
  const routes = Object.entries(membersOf(jwt.routes)).flatMap(([name, asked]) =>
    ['issuers', 'actors'].map((option) => ({
      path: `routes.${name}.${option}`,
      rules: membersOf(asked)[option],
    })),
  );
  return [...ruleSetsOf(jwt), { path: 'issuers', rules: jwt.issuers }, ...routes].flatMap(({ path, rules }) =>
    patternsIn(rules, path),
  );
}

/** A pattern is a member named like that, or the value of a row of type REGEX, at any depth. */
function patternsIn(value: unknown, path: string): readonly Pattern[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => patternsIn(item, `${path}[${index}]`));
  const members = membersOf(value);
  const { pattern, match, type, value: row } = members;
  if (typeof pattern === 'string')
    return [{ path: `${path}.pattern`, source: pattern, search: match === 'search' }];
  if (typeof type === 'string' && /^regex$/i.test(type) && typeof row === 'string')
    return [{ path: `${path}.value`, source: row, search: false }];
  return Object.entries(members).flatMap(([name, member]) => patternsIn(member, `${path}.${name}`));
}

/**
 * True if the pattern begins with ^ and ends with $, and has no alternative outside of brackets.
 */
function isAnchored(source: string): boolean {
  const bare = source.replace(/\\./g, 'x').replace(/\[[^\]]*\]/g, 'x');
  const flat = withoutGroups(bare);
  return flat.startsWith('^') && flat.endsWith('$') && !flat.includes('|');
}

/** Removes groups, starting with the innermost. */
function withoutGroups(source: string): string {
  const less = source.replace(/\([^()]*\)/g, 'x');
  return less === source ? source : withoutGroups(less);
}
