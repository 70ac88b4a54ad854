// Puts the providers and rules of Envoy into one descriptor: an issuer becomes a keyset, and rules
// that differ become named routes.
import { isDeepStrictEqual } from 'node:util';
import { type Audiences, putAudiences, sameSet } from './audiences.ts';
import { type Draft, quoted } from './draft.ts';
import { keysetOf, noteProviders, type Provider, putKeyset } from './envoy-provider.ts';
import type { Requirement } from './envoy-requirements.ts';
import type { Entry } from './envoy-rules.ts';
import { putTokenPlaces } from './places.ts';
import { createSecretNames } from './secret-names.ts';
import type { SourceNode } from './source.ts';

/** The providers of one issuer. */
interface Group {
  readonly issuer: string | undefined;
  readonly providers: readonly Provider[];
}

/** What an entry demands of the tokens of one group. */
interface Demand {
  readonly group: Group;
  readonly audiences: readonly string[] | null;
}

/** An entry with what it demands of the tokens of each issuer that it accepts. */
interface Demanded extends Entry {
  readonly demands: readonly Demand[];
}

/** Adds everything that the entries of a filter demand. @throws Failure with the place */
export function putDemands(
  draft: Draft,
  filter: SourceNode,
  all: ReadonlyMap<string, Provider>,
  entries: readonly Entry[],
): void {
  const usesOf = ({ uses }: Requirement) =>
    uses.length > 0 ? uses : [...all.keys()].map((provider) => ({ provider, audiences: undefined }));
  const used = new Set(
    entries.flatMap(({ requirement }) => usesOf(requirement).map(({ provider }) => provider)),
  );
  const providers = [...all.values()].filter(({ name, node }) => {
    if (!used.has(name))
      draft.note(
        'check',
        [],
        node,
        'no rule requires this provider, so its tokens are not accepted here either',
      );
    return used.has(name);
  });
  const groups = groupsOf(providers);
  const demanded = entries.map((entry): Demanded => {
    const uses = usesOf(entry.requirement);
    const demands = groups.flatMap((group) => {
      const own = uses.flatMap(({ provider, audiences }) => {
        const found = group.providers.find(({ name }) => name === provider);
        return found === undefined ? [] : [audiences ?? found.audiences];
      });
      return own.length === 0 ? [] : [{ group, audiences: union(own) }];
    });
    return { ...entry, demands };
  });
  const names = createSecretNames();
  for (const [
    index,
    {
      providers: [first],
    },
  ] of groups.entries())
    if (first !== undefined) putKeyset(draft, ['keySets', index], first, names);
  const audiences = groups.map((group): Audiences => {
    const own = demanded.flatMap(({ demands }) => demands.filter((demand) => demand.group === group));
    return {
      node: group.providers[0]?.node ?? filter,
      audiences: union(own.map((demand) => demand.audiences)),
    };
  });
  putAudiences(draft, audiences);
  putPlaces(draft, providers);
  putMode(draft, demanded);
  putTimes(draft, filter, providers);
  const cached = providers.flatMap(({ cachedTokens }) => cachedTokens ?? []);
  if (cached.length > 0)
    draft.set(
      ['cache', 'tokens'],
      cached.reduce((sum, tokens) => sum + tokens),
      filter,
    );
  const topOf = new Map(groups.map((group, index) => [group, audiences[index]?.audiences ?? null] as const));
  putRoutes(draft, demanded, groups, topOf);
  noteProviders(draft, providers);
}

/** Keysets of one issuer would all accept its tokens, so that its providers must have one. */
function groupsOf(providers: readonly Provider[]): readonly Group[] {
  const groups = new Map<string | undefined, Provider[]>();
  for (const provider of providers) {
    const issuer = provider.issuer?.text();
    const [first, ...others] = groups.get(issuer) ?? [];
    if (first !== undefined && !isDeepStrictEqual(keysetOf(first), keysetOf(provider)))
      provider.node.refuse(
        `has the issuer of ${first.node.path} and other keys, subjects or another max_lifetime; import each provider by itself, from a copy of the file without the others`,
      );
    groups.set(issuer, first === undefined ? [provider] : [first, ...others, provider]);
  }
  return [...groups].map(([issuer, members]) => ({ issuer, providers: members }));
}

function union(lists: readonly (readonly string[] | null)[]): readonly string[] | null {
  const known = lists.filter((list) => list !== null);
  return known.length < lists.length ? null : [...new Set(known.flat())];
}

function putPlaces(draft: Draft, providers: readonly Provider[]): void {
  const [first, ...others] = providers;
  if (first === undefined) return;
  const places = providers.flatMap((provider) => provider.places);
  const different = places.filter(
    (place, index) => places.findIndex((one) => isDeepStrictEqual(one, place)) === index,
  );
  const defaulting = providers.find(({ namesPlaces }) => !namesPlaces);
  if (providers.some(({ namesPlaces }) => namesPlaces)) putTokenPlaces(draft, different, first.node);
  if (defaulting !== undefined)
    draft.note(
      'safer',
      [],
      defaulting.node,
      'the gateway also reads the token from the query parameter access_token, and URLs end up in logs; { query: access_token } in tokenFrom restores that',
    );
  if (others.some((other) => !isDeepStrictEqual(other.places, first.places)))
    draft.note(
      'no-equivalent',
      ['tokenFrom'],
      first.node,
      'this was a restriction: the gateway read the tokens of each provider from its own places; here each token may be in each place',
    );
}

/** One mode is for all requests; the code can give a route another one. */
function putMode(draft: Draft, entries: readonly Demanded[]): void {
  const [first, ...others] = entries;
  if (first === undefined) return;
  const { mode = 'strict' } = first.requirement;
  const isSame = others.every(({ requirement }) => requirement.mode === mode);
  draft.set(['mode'], isSame ? mode : 'strict', first.node);
  if (isSame && mode === 'permissive')
    draft.note(
      'check',
      ['mode'],
      first.node,
      'the gateway let requests with a wrong token pass, for another filter to decide; here they are anonymous, and rules of routes decide',
    );
  if (isSame) return;
  for (const { name, node, requirement } of entries)
    if (requirement.mode !== 'strict')
      draft.note(
        'safer',
        ['mode'],
        node,
        `at the gateway ${quoted(name)} is ${requirement.mode ?? 'open'}; mode: '${requirement.mode ?? 'optional'}' of the route in the code restores that`,
      );
}

function putTimes(draft: Draft, filter: SourceNode, providers: readonly Provider[]): void {
  const skews = providers.map(({ skewSeconds }) => skewSeconds);
  const skew = Math.min(60, ...skews);
  const from = providers.find(({ skewSeconds }) => skewSeconds === Math.min(...skews))?.node ?? filter;
  draft.set(['clockSkew'], `${skew}s`, from);
  if (skews.some((one) => one !== skew))
    draft.note(
      'safer',
      ['clockSkew'],
      from,
      'clocks may differ by the shortest time of all providers, and by a minute at most',
    );
  const lenient = providers.find(({ requiresExp }) => !requiresExp);
  if (lenient !== undefined)
    draft.note(
      'safer',
      [],
      lenient.node,
      'tokens without exp are refused; the gateway accepted them; requireExp: false restores that',
    );
  // With maxLifetime, iat cannot be in the future.
  if (!providers.some(({ limitsLifetime }) => limitsLifetime))
    draft.note(
      'safer',
      [],
      filter,
      'a token with iat in the future is refused; the gateway accepted it; allowFutureIat: true restores that',
    );
}

function putRoutes(
  draft: Draft,
  entries: readonly Demanded[],
  groups: readonly Group[],
  topOf: ReadonlyMap<Group, readonly string[] | null>,
): void {
  const isWhole = ({ demands }: Demanded) =>
    demands.length === groups.length &&
    demands.every(({ group, audiences }) => sameSet(audiences, topOf.get(group) ?? null));
  const [first] = entries;
  if (first === undefined || entries.every(isWhole)) return;
  for (const { name, node, demands } of entries) {
    const at = ['routes', name] as const;
    if (demands.length < groups.length) {
      const issuers = demands.map(
        ({ group }) =>
          group.issuer ??
          node.refuse('needs a provider with an issuer, which tells its tokens from those of the others'),
      );
      draft.set([...at, 'issuers'], issuers, node);
    }
    const own = demands.filter(({ group, audiences }) => !sameSet(audiences, topOf.get(group) ?? null));
    const [other] = own;
    if (other?.audiences != null) {
      // One audience of the route counts for the tokens of every issuer.
      if (!demands.every(({ audiences }) => sameSet(audiences, other.audiences)))
        node.refuse(
          'requires different audiences of the tokens of several providers, and other rules require others; import each rule by itself, from a copy of the file without the others',
        );
      draft.set([...at, 'audience'], other.audiences, node);
    }
    if (demands.length === groups.length && other === undefined) draft.set([...at, 'claims'], {}, node);
    draft.comesFrom(at, node);
  }
  draft.note('check', ['routes'], first.node, 'the code names the route of each handler, by these names');
}
