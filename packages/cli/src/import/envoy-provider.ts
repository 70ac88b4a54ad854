// Reads one provider of Envoy's filter: its keys, what its tokens must be, and where they are.
// Same decisions: issuer, audiences, subjects, clock skew, keys by kid or all of them.
// Safer: exp is required, keys are fetched over https, and no token is read from the query unless
// a provider says so.
import { type Draft, noteLeft, type Place, quoted } from './draft.ts';
import { ruleOfMatcher } from './envoy-matcher.ts';
import { anyOfFields, field, oneField, seconds } from './fields.ts';
import { putInline, putSecret, putUrl } from './jwks.ts';
import { headerPlace, type TokenPlace } from './places.ts';
import type { SourceNode } from './source.ts';

/** A provider that has been read. */
export interface Provider {
  readonly name: string;
  readonly node: SourceNode;
  readonly issuer: SourceNode | undefined;
  /** Null: `aud` is not checked. */
  readonly audiences: readonly string[] | null;
  readonly places: readonly TokenPlace[];
  /** False: the places are the default ones. */
  readonly namesPlaces: boolean;
  readonly skewSeconds: number;
  readonly requiresExp: boolean;
  readonly limitsLifetime: boolean;
  readonly cachedTokens: number | undefined;
}

const KEYS = ['remote_jwks', 'local_jwks'] as const;
const BEARER = { header: 'Authorization', scheme: 'Bearer' } as const;
const DEFAULT_SKEW_SECONDS = 60;
const DEFAULT_CACHED = 100;
const MIN_REFRESH_SECONDS = 60;
const DEFAULT_REFRESH_SECONDS = 600;

/** Settings without effect on decisions. */
const HARMLESS: ReadonlyMap<string, string> = new Map([
  ['forward', 'the service itself reads the token, which stays in the request'],
  ['forward_payload_header', 'handlers have the claims of the principal'],
  ['pad_forward_payload_header', 'handlers have the claims of the principal'],
  ['claim_to_headers', 'handlers have the claims of the principal; send them on as headers there'],
  ['payload_in_metadata', 'handlers have the claims of the principal'],
  ['header_in_metadata', 'handlers have the claims of the principal'],
  ['normalize_payload_in_metadata', 'hasScope reads scopes in each form'],
  ['failed_status_in_metadata', 'onRefusal is told of each refusal'],
  ['clear_route_cache', 'routes are not chosen by claims'],
]);

/** Reads the settings of a provider that are not those of its keyset. @throws Failure */
export function readProvider(name: string, node: SourceNode): Provider {
  const audiences = node.member('audiences')?.texts() ?? [];
  const places = readPlaces(node);
  const limitsLifetime = field(node, 'max_lifetime') !== undefined;
  const skew = field(node, 'clock_skew_seconds')?.integer() ?? 0;
  const cache = field(node, 'jwt_cache_config');
  const size = cache === undefined ? undefined : (field(cache, 'jwt_cache_size')?.integer() ?? 0);
  return {
    name,
    node,
    issuer: node.member('issuer')?.value === '' ? undefined : node.member('issuer'),
    audiences: audiences.length === 0 ? null : audiences,
    places: places ?? [BEARER],
    namesPlaces: places !== undefined,
    skewSeconds: skew === 0 ? DEFAULT_SKEW_SECONDS : skew,
    requiresExp: field(node, 'require_expiration')?.boolean() === true || limitsLifetime,
    limitsLifetime,
    cachedTokens: size === 0 ? DEFAULT_CACHED : size,
  };
}

/** What two providers of one issuer must have in common to be one keyset. */
export function keysetOf({ node }: Provider): unknown {
  return [...KEYS, 'subjects', 'max_lifetime'].map((name) => field(node, name)?.value);
}

/** Adds the keyset of a provider. @throws Failure with the place */
export function putKeyset(
  draft: Draft,
  at: Place,
  { node, issuer, name }: Provider,
  names: (hint: string) => string,
): void {
  if (issuer !== undefined) draft.set([...at, 'issuer'], issuer.text(), issuer);
  draft.comesFrom(at, node);
  const [form, keys] = oneField(node, KEYS) ?? node.refuse('expected remote_jwks or local_jwks');
  const nameOf = () => names(issuer?.text() ?? name);
  if (form === 'remote_jwks') putRemote(draft, at, keys);
  else putLocal(draft, at, keys, nameOf);
  // Without a kid, the gateway tries every key.
  draft.set([...at, 'kidless'], 'try-all', node);
  const subjects = node.member('subjects');
  if (subjects !== undefined) draft.set([...at, 'claims'], { sub: ruleOfMatcher(subjects) }, subjects);
  const lifetime = field(node, 'max_lifetime');
  if (lifetime !== undefined) {
    draft.set([...at, 'maxLifetime'], `${seconds(lifetime)}s`, lifetime);
    draft.note(
      'safer',
      [...at, 'maxLifetime'],
      lifetime,
      'the gateway limited the time that is left until exp; here it is the time from iat to exp, and iat is required',
    );
  }
}

/** Notes the settings of providers that have no equivalent, once each, and unknown settings. */
export function noteProviders(draft: Draft, providers: readonly Provider[]): void {
  for (const [name, text] of HARMLESS) {
    const [found] = providers.flatMap(({ node }) => field(node, name) ?? []);
    if (found !== undefined) draft.note('no-equivalent', [], found, text);
  }
  for (const { node } of providers) noteLeft(draft, [], node, 'a provider');
}

function putRemote(draft: Draft, at: Place, remote: SourceNode): void {
  const source = field(remote, 'http_uri') ?? remote.refuse('expected http_uri');
  putUrl(draft, at, source.member('uri') ?? source.refuse('expected uri'));
  const cluster = source.member('cluster');
  if (cluster !== undefined)
    draft.note(
      'check',
      [...at, 'jwksUrl'],
      cluster,
      `the gateway connected to the cluster ${quoted(cluster.text())}; here the host of the URL is asked, and tls.ca is for a CA of your own`,
    );
  const duration = field(remote, 'cache_duration');
  const wanted = duration === undefined ? DEFAULT_REFRESH_SECONDS : seconds(duration);
  draft.set([...at, 'refreshInterval'], `${Math.max(MIN_REFRESH_SECONDS, wanted)}s`, duration ?? remote);
  if (wanted < MIN_REFRESH_SECONDS)
    draft.note(
      'check',
      [...at, 'refreshInterval'],
      duration ?? remote,
      'keys are kept for at least a minute',
    );
  for (const [name, node] of [
    ...anyOfFields(source, ['timeout']),
    ...anyOfFields(remote, ['async_fetch', 'retry_policy']),
  ])
    draft.note(
      'no-equivalent',
      at,
      node,
      `${name}: keys are loaded at the start, in bounded time, and a failure is tried again by itself`,
    );
  for (const [name, left] of [...source.left(), ...remote.left()]) noteUnknown(draft, at, name, left);
}

function putLocal(draft: Draft, at: Place, local: SourceNode, nameOf: () => string): void {
  const [form, node] =
    oneField(local, ['inline_string', 'inline_bytes', 'filename', 'environment_variable']) ??
    local.refuse('expected inline_string or filename');
  field(local, 'watched_directory');
  for (const [name, left] of local.left()) noteUnknown(draft, at, name, left);
  if (form === 'inline_string') {
    putInline(draft, at, node, nameOf);
    return;
  }
  const name = nameOf();
  putSecret(draft, at, name, node);
  const where = form === 'inline_bytes' ? 'inline_bytes' : quoted(node.text());
  draft.note('check', [...at, 'secret'], node, `put the JWK Set of ${where} into secrets/${name}/jwks.json`);
}

function noteUnknown(draft: Draft, at: Place, name: string, node: SourceNode): void {
  draft.note('no-equivalent', at, node, `${quoted(name)} is an unknown setting of keys; check its effect`);
}

/** Returns undefined for the default places. */
function readPlaces(node: SourceNode): Provider['places'] | undefined {
  const found = [
    ...(field(node, 'from_headers')?.items() ?? []).map(placeOfHeader),
    ...(field(node, 'from_params')?.texts() ?? []).map((query) => ({ query })),
    ...(field(node, 'from_cookies')?.texts() ?? []).map((cookie) => ({ cookie })),
  ];
  return found.length === 0 ? undefined : found;
}

function placeOfHeader(node: SourceNode): TokenPlace {
  const header = (node.member('name') ?? node.refuse('expected a name')).text();
  return headerPlace(header, field(node, 'value_prefix'));
}
