// Imports Envoy's filter for JWTs, envoy.filters.http.jwt_authn: alone, in a list of filters, or in
// a whole configuration. envoy-provider.ts reads providers, envoy-rules.ts reads rules, and
// envoy-routes.ts puts both into one descriptor.
import { isDeepStrictEqual } from 'node:util';
import { type Draft, noteLeft, quoted } from './draft.ts';
import { type Provider, readProvider } from './envoy-provider.ts';
import { putDemands } from './envoy-routes.ts';
import { readEntries } from './envoy-rules.ts';
import { field } from './fields.ts';
import type { SourceNode } from './source.ts';

const NAME = 'envoy.filters.http.jwt_authn';
const FILTER = /\.jwt_authn\.v\w+\.JwtAuthentication$/;
const PER_ROUTE = /\.jwt_authn\.v\w+\.PerRouteConfig$/;

/** What a configuration has about JWTs. */
interface Found {
  readonly filters: readonly SourceNode[];
  readonly perRoute: readonly SourceNode[];
  /** Filters that are off, unless a route turns them on. */
  readonly disabled: readonly SourceNode[];
}

/** True for a file that looks like a configuration of Envoy. */
export function isEnvoy(root: SourceNode): boolean {
  if (Array.isArray(root.value)) return root.items().some((item) => item.isObject() && isFilter(item));
  if (!root.isObject()) return false;
  const isWhole = ['static_resources', 'filter_chains', 'http_filters'].some(
    (name) => field(root, name) !== undefined,
  );
  return isWhole || isFilter(root) || isBare(root) || FILTER.test(typeOf(root));
}

/** Adds the filter of a configuration to a draft. @throws Failure with the place */
export function importEnvoy(draft: Draft, root: SourceNode): void {
  const { filters, perRoute, disabled } = search(root);
  const [filter, ...others] = filters;
  if (filter === undefined) {
    root.refuse(`has no filter ${NAME}`);
    return;
  }
  for (const other of others)
    if (!isDeepStrictEqual(other.value, filter.value))
      other.refuse(`differs from ${filter.path}; import the filters one by one`);
  const members = (filter.member('providers') ?? filter.refuse('expected providers')).members();
  const providers: ReadonlyMap<string, Provider> = new Map(
    members.map(([name, node]) => [name, readProvider(name, node)]),
  );
  const entries = readEntries(draft, filter, (name) => providers.has(name));
  if (entries.length === 0) filter.refuse('requires no token anywhere; no descriptor decides the same');
  putDemands(draft, filter, providers, entries);
  for (const node of perRoute) notePerRoute(draft, node);
  for (const node of disabled)
    draft.note(
      'safer',
      [],
      node,
      'is off, except where a route turns it on; here a route is open where the code says so',
    );
  if (field(filter, 'bypass_cors_preflight')?.boolean() === true)
    draft.note(
      'check',
      [],
      filter,
      'preflight requests (OPTIONS) passed without a token: answer them before tokens are checked, for example with cors()',
    );
  field(filter, 'strip_failure_response');
  filter.member('@type');
  noteLeft(draft, [], filter, 'the filter');
}

/** Searches everywhere, since listeners, chains and groups of filters nest in several ways. */
function search(node: SourceNode): Found {
  if (Array.isArray(node.value)) return merged(node.items().map(search));
  if (!node.isObject()) return merged([]);
  if (isFilter(node)) {
    const config = configOf(node) ?? node.refuse('expected typed_config');
    const isOff = node.member('disabled')?.value === true;
    return { filters: [config], perRoute: [], disabled: isOff ? [node] : [] };
  }
  if (FILTER.test(typeOf(node)) || isBare(node)) return { filters: [node], perRoute: [], disabled: [] };
  if (PER_ROUTE.test(typeOf(node))) return { filters: [], perRoute: [node], disabled: [] };
  return merged(node.members().map(([, member]) => search(member)));
}

function merged(parts: readonly Found[]): Found {
  return {
    filters: parts.flatMap(({ filters }) => filters),
    perRoute: parts.flatMap(({ perRoute }) => perRoute),
    disabled: parts.flatMap(({ disabled }) => disabled),
  };
}

function isFilter(node: SourceNode): boolean {
  const config = configOf(node);
  if (config?.isObject() !== true || PER_ROUTE.test(typeOf(config))) return false;
  return FILTER.test(typeOf(config)) || node.member('name')?.value === NAME;
}

/** True for the content of the filter without its type, as documentation shows it. */
function isBare(node: SourceNode): boolean {
  const isNamed = ['rules', 'requirement_map', 'filter_state_rules'].some(
    (name) => field(node, name) !== undefined,
  );
  return node.member('@type') === undefined && isNamed && node.member('providers')?.isObject() === true;
}

function configOf(node: SourceNode): SourceNode | undefined {
  return node.oneOf('typed_config', 'typedConfig', 'config');
}

function typeOf(node: SourceNode): string {
  const type = node.member('@type')?.value;
  return typeof type === 'string' ? type : '';
}

function notePerRoute(draft: Draft, node: SourceNode): void {
  const name = field(node, 'requirement_name');
  if (name !== undefined)
    draft.note(
      'check',
      [],
      node,
      `this route of the gateway requires ${quoted(name.text())}; here the code names it`,
    );
  else draft.note('safer', [], node, 'is open at the gateway; here a route is open where the code says so');
}
