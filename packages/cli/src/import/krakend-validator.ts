// Reads one KrakenD validator into options of Latchkey. krakend-endpoints.ts combines several of
// them in one descriptor.
// Same decisions: algorithm, keys, issuer, every audience, any of the roles, any or all of the
// scopes, no key without a kid. Safer: exp is required; the default cookie of KrakenD is not read;
// certificates are checked.
import { type Draft, type PathRule, quoted } from './draft.ts';
import { type Made, noteVault, readAllowHttp, readTls, type Say, urlOf } from './krakend-source.ts';
import { slugOf } from './secret-names.ts';
import type { SourceNode } from './source.ts';

/** A validator that has been read. */
export interface Validator {
  /** For example `GET /users`; undefined if the validator is not in an endpoint. */
  readonly endpoint: string | undefined;
  readonly node: SourceNode;
  readonly keyset: Made;
  /** A token must name each of them. Undefined: `aud` is not checked. */
  readonly audience: readonly string[] | undefined;
  readonly tokenFrom: readonly Readonly<Record<string, string>>[] | undefined;
  readonly clockSkew: string | undefined;
  readonly rules: readonly PathRule[];
  /** Notes about the keyset; the path is that of the member in the keyset. */
  readonly keysetNotes: readonly Parameters<Say>[];
  /** Notes about the other options. */
  readonly notes: readonly Parameters<Draft['note']>[];
}

/** Settings without effect on decisions: they affect speed, logs, or requests to backends. */
const HARMLESS: ReadonlyMap<string, string> = new Map([
  ['propagate_claims', 'handlers have the claims of the principal; send them on as headers there'],
  ['propagate-claims', 'handlers have the claims of the principal; send them on as headers there'],
  ['operation_debug', 'latchkey explain says why a token is refused'],
  ['failed_jwk_key_cooldown', 'an unknown key is looked for at most once in ten seconds'],
]);

/** Reads one validator. @throws Failure with the place */
export function readValidator(node: SourceNode, endpoint: string | undefined): Validator {
  const keyset: Made = new Map();
  const keysetNotes: Parameters<Say>[] = [];
  const notes: Parameters<Draft['note']>[] = [];
  const say: Say = (...note) => void keysetNotes.push(note);
  readKeys(node, keyset, say);
  const audience = node.member('audience');
  for (const [name, text] of HARMLESS) {
    const member = node.member(name);
    if (member !== undefined) notes.push(['no-equivalent', [], member, text]);
  }
  const introspection = node.oneOf('introspection', 'token_introspection');
  if (introspection !== undefined)
    notes.push([
      'no-equivalent',
      [],
      introspection,
      'this was a restriction: without it revoked tokens pass. Configure the endpoint in remote, with contract: introspection and its client',
    ]);
  const audiences = audience?.texts() ?? [];
  const read = {
    endpoint,
    node,
    keyset,
    audience: audiences.length === 0 ? undefined : audiences,
    tokenFrom: readTokenFrom(node, notes),
    clockSkew: readLeeway(node, notes),
    rules: [...readRoles(node), ...readScopes(node, notes)],
    keysetNotes,
    notes,
  };
  for (const [name, left] of node.left())
    notes.push([
      'no-equivalent',
      [],
      left,
      `${quoted(name)} is an unknown setting of a KrakenD validator; check its effect`,
    ]);
  return read;
}

function readKeys(node: SourceNode, keyset: Made, say: Say): void {
  const issuer = node.member('issuer');
  if (issuer !== undefined) keyset.set('issuer', [issuer.text(), issuer]);
  const alg = node.member('alg');
  const algorithm = alg?.text() ?? 'RS256';
  const url = urlOf(node);
  const file = node.member('jwk_local_path');
  if (url !== undefined && file !== undefined)
    file.refuse(`conflicts with ${url.path}; keep the one with the keys`);
  const source = url ?? file ?? node.refuse('expected jwk_url or jwk_local_path');
  if (file !== undefined || algorithm.startsWith('HS')) {
    const name = slugOf(source.text());
    keyset.set('secret', [{ name, key: 'jwks.json' }, source]);
    say(
      file === undefined ? 'safer' : 'check',
      'secret',
      source,
      `${file === undefined ? 'a shared secret is not fetched from a URL' : `keys are in ${quoted(file.text())}`}: put the JWK Set into secrets/${name}/jwks.json, readable only by the service (0600)`,
    );
    node.member('disable_jwk_security');
    readTls(node, new Map(), () => {});
  } else {
    keyset.set('jwksUrl', [source.text(), source]);
    readAllowHttp(node, url, keyset, say);
    readTls(node, keyset, say);
  }
  keyset.set('allowedAlgorithms', [[algorithm], alg ?? node]);
  noteVault(node, say);
  // KrakenD finds the key by the kid of the token, and none without a kid.
  const strategy = node.member('key_identify_strategy');
  keyset.set('kidless', ['refuse', strategy ?? node]);
  if (strategy !== undefined && strategy.text() !== 'kid')
    say(
      'no-equivalent',
      'kidless',
      strategy,
      `keys are found by kid, and not by ${quoted(strategy.text())}; a token without a kid is refused`,
    );
  readCache(node, keyset, say);
}

function readCache(node: SourceNode, keyset: Made, say: Say): void {
  const cache = node.member('cache');
  const duration = node.member('cache_duration');
  if (cache?.boolean() === true || duration !== undefined) {
    // Seconds; KrakenD's own default is a quarter of an hour.
    const seconds = duration?.integer() ?? 900;
    keyset.set('refreshInterval', [`${Math.max(60, seconds)}s`, duration ?? cache ?? node]);
    if (seconds < 60)
      say('check', 'refreshInterval', duration ?? node, 'keys are kept for at least a minute');
  } else {
    keyset.set('refreshInterval', ['60s', cache ?? node]);
    say(
      'check',
      'refreshInterval',
      cache ?? node,
      'without cache keys were fetched for each request; here they are kept for a minute',
    );
  }
}

function readTokenFrom(node: SourceNode, notes: Parameters<Draft['note']>[]): Validator['tokenFrom'] {
  const header = node.member('auth_header_name');
  const cookie = node.member('cookie_key');
  if (header === undefined && cookie === undefined) {
    notes.push([
      'safer',
      [],
      node,
      'KrakenD also reads the token from a cookie called access_token; tokenFrom: [{ header: Authorization }, { cookie: access_token }] restores that',
    ]);
    return undefined;
  }
  if (cookie !== undefined)
    notes.push([
      'safer',
      ['tokenFrom', 1],
      cookie,
      'a request with this cookie and an unsafe method must come from an origin of the service, or from one of allowedOrigins',
    ]);
  return [
    { header: header?.text() ?? 'Authorization', scheme: 'Bearer' },
    ...(cookie === undefined ? [] : [{ cookie: cookie.text() }]),
  ];
}

function readLeeway(node: SourceNode, notes: Parameters<Draft['note']>[]): string | undefined {
  const leeway = node.member('leeway');
  if (leeway === undefined) return undefined;
  const text = leeway.text();
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.map(([part]) => part).join('') !== text)
    return leeway.refuse('expected a duration with a unit, like "1s"');
  const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
  const totalMs = parts.reduce(
    (sum, [, amount, unit]) => sum + Number(amount) * (unitMs[unit ?? ''] ?? 0),
    0,
  );
  if (totalMs <= 60_000) return text;
  notes.push([
    'safer',
    ['clockSkew'],
    leeway,
    `clocks may differ by a minute at most, not by ${quoted(text)}`,
  ]);
  return '60s';
}

/** One of the roles is enough, in a list or in a string with spaces. */
function readRoles(node: SourceNode): readonly PathRule[] {
  const key = node.member('roles_key');
  const nested = node.member('roles_key_is_nested')?.boolean() === true;
  const roles = node.member('roles')?.texts() ?? [];
  const name = key?.text() ?? 'roles';
  return roles.length === 0
    ? []
    : [{ path: nested ? splitKey(name) : [name], rule: { anyOf: roles, split: ' ' } }];
}

function readScopes(node: SourceNode, notes: Parameters<Draft['note']>[]): readonly PathRule[] {
  const scopes = node.member('scopes');
  const key = node.member('scopes_key');
  const matcher = node.member('scopes_matcher');
  if (matcher !== undefined && !['any', 'all'].includes(matcher.text()))
    matcher.refuse('expected any or all');
  const wanted = scopes?.texts() ?? [];
  if (scopes === undefined || wanted.length === 0) return [];
  if (key === undefined)
    notes.push([
      'safer',
      [],
      scopes,
      'KrakenD ignores scopes without scopes_key; here they must be in scope',
    ]);
  const path = splitKey(key?.text() ?? 'scope');
  const form = matcher?.text() === 'all' ? 'allOf' : 'anyOf';
  return [{ path, rule: { [form]: wanted, split: ' ' } }];
}

/** Splits a name at dots into a path, unless the name is a URL. */
function splitKey(name: string): readonly string[] {
  return name.startsWith('http') ? [name] : name.split('.');
}
