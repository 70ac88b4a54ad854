// Imports a whole krakend.json, an endpoint, or an extra_config, with validators and signers. A
// descriptor is for one service: krakend-endpoints.ts combines the endpoints in it.
import { isDeepStrictEqual } from 'node:util';
import { type Draft, quoted } from './draft.ts';
import { putValidators } from './krakend-endpoints.ts';
import { putSigner } from './krakend-signer.ts';
import { readValidator, type Validator } from './krakend-validator.ts';
import type { SourceNode } from './source.ts';

const VALIDATORS = ['github.com/devopsfaith/krakend-jose/validator', 'auth/validator'] as const;
const SIGNERS = ['github.com/devopsfaith/krakend-jose/signer', 'auth/signer'] as const;
/** Components next to a validator that restrict access. */
const RESTRICTIONS: ReadonlyMap<string, string> = new Map([
  ['auth/revoker', 'revoked tokens pass without it; validate remotely, or use short-lived tokens'],
  [
    'github_com/devopsfaith/bloomfilter',
    'revoked tokens pass without it; validate remotely, or use short-lived tokens',
  ],
  ['validation/cel', 'write its conditions on claims as rules'],
  ['github.com/devopsfaith/krakend-cel', 'write its conditions on claims as rules'],
  ['auth/api-keys', 'API keys are not tokens; check them in a handler'],
  ['auth/basic', 'passwords are not tokens; check them in a handler'],
]);

/** True for a file that looks like a configuration of KrakenD. */
export function isKrakend(root: SourceNode): boolean {
  if (!root.isObject()) return false;
  const names = root.members().map(([name]) => name);
  return names.some((name) =>
    ['endpoints', 'endpoint', 'extra_config', ...VALIDATORS, ...SIGNERS].includes(name),
  );
}

/**
 * Adds KrakenD's configuration to a draft.
 * @param only the only endpoint to import: `/path` or `POST /path`
 * @throws Failure with the place
 */
export function importKrakend(draft: Draft, root: SourceNode, only?: string): void {
  const name = root.member('name');
  if (name !== undefined && root.member('endpoints') !== undefined) draft.name = name.text();
  const service = root.member('endpoints') === undefined ? undefined : root.member('extra_config');
  if (service !== undefined) noteRestrictions(draft, service);
  const validators: Validator[] = [];
  const signers: SourceNode[] = [];
  const open: Place[] = [];
  for (const place of chosen(placesIn(root), only, root)) {
    const { endpoint, configuration } = place;
    const validator = configuration?.oneOf(...VALIDATORS);
    const signer = configuration?.oneOf(...SIGNERS);
    if (validator === undefined) open.push(place);
    else validators.push(readValidator(validator, endpoint));
    if (signer !== undefined) signers.push(signer);
    if (configuration !== undefined && (validator ?? signer) !== undefined)
      noteRestrictions(draft, configuration);
  }
  if (validators.length > 0) {
    for (const { endpoint, node } of open)
      if (endpoint !== undefined) draft.note('safer', [], node, openHere(endpoint));
  }
  const [first] = signers;
  if (validators.length === 0 && first === undefined)
    root.refuse('has neither a validator nor a signer in an extra_config');
  putValidators(draft, validators);
  if (first === undefined) return;
  for (const other of signers.slice(1))
    if (!isDeepStrictEqual(other.value, first.value))
      other.refuse(`differs from the signer ${first.path}; import one endpoint by itself, with --endpoint`);
  if (validators.length === 0) putSomebody(draft, first);
  putSigner(draft, first);
}

/**
 * A descriptor needs the trusted issuers, and a signer does not name them. The draft has a
 * variable, so that no service starts with it until the user sets it.
 */
function putSomebody(draft: Draft, signer: SourceNode): void {
  draft.variables.set('ISSUER', 'https://issuer.invalid');
  draft.set(['keySets'], [{ issuer: `\${ISSUER}`, useOidcDiscovery: true }], signer);
  draft.note(
    'check',
    ['keySets', 0],
    signer,
    'there is no validator: set ISSUER to the trusted issuer, or configure other keys',
  );
  draft.set(['audience'], null, signer);
  draft.note('check', ['audience'], signer, 'set the audience of this service');
}

function chosen(places: readonly Place[], only: string | undefined, root: SourceNode): readonly Place[] {
  if (only === undefined) return places;
  const found = places.filter(
    ({ endpoint }) => endpoint === only || endpoint?.slice(endpoint.indexOf(' ') + 1) === only,
  );
  if (found.length > 0) return found;
  const known = places.map(({ endpoint }) => endpoint ?? '').filter((name) => name !== '');
  return root.refuse(
    `has no endpoint ${quoted(only)}${known.length === 0 ? '' : `; it has ${known.slice(0, 20).join(', ')}`}`,
  );
}

function openHere(endpoint: string): string {
  return `${quoted(endpoint)} has no validator and is open at the gateway; here a route is open where the code says so`;
}

interface Place {
  readonly node: SourceNode;
  readonly endpoint: string | undefined;
  readonly configuration: SourceNode | undefined;
}

function placesIn(root: SourceNode): readonly Place[] {
  const endpoints = root.member('endpoints');
  if (endpoints !== undefined) {
    const service = root.member('extra_config');
    const misplaced = service?.oneOf(...VALIDATORS) ?? service?.oneOf(...SIGNERS);
    misplaced?.refuse('has no effect here: KrakenD reads it only at endpoints');
    return endpoints.items().map(placeOf);
  }
  if (root.member('endpoint') !== undefined) return [placeOf(root)];
  return [{ node: root, endpoint: undefined, configuration: root.member('extra_config') ?? root }];
}

function placeOf(node: SourceNode): Place {
  const path = (node.member('endpoint') ?? node.refuse('expected an endpoint')).text();
  const method = node.member('method')?.text() ?? 'GET';
  return {
    node,
    endpoint: `${method.toUpperCase()} ${path}`,
    configuration: node.member('extra_config'),
  };
}

function noteRestrictions(draft: Draft, configuration: SourceNode): void {
  for (const [name, text] of RESTRICTIONS) {
    const member = configuration.member(name);
    if (member !== undefined) draft.note('no-equivalent', [], member, `this was a restriction: ${text}`);
  }
}
