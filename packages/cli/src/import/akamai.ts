// Imports Akamai's JWT settings in the format of its API: settings with their resources, or only
// the settings.
// Same decisions: location, keys, skew, the rows of claims. Safer, each with a comment: exp is
// required; validated iss and aud are required too, although the gateway accepted a token without
// them; an exempt resource is open only if the code marks it so.

import { putClaims } from './akamai-claims.ts';
import { putKeys } from './akamai-keys.ts';
import { type Draft, noteLeft, quoted } from './draft.ts';
import type { SourceNode } from './source.ts';

const WHAT = "Akamai's JWT settings";

/** True for a file that looks like settings of Akamai. */
export function isAkamai(root: SourceNode): boolean {
  if (!root.isObject()) return false;
  const settings = root.member('settings') ?? root;
  if (!settings.isObject()) return false;
  return (
    settings.member('validation')?.isObject() === true ||
    (settings.member('location') !== undefined && settings.member('paramName') !== undefined)
  );
}

/** Adds Akamai's settings to a draft. @throws Failure with the place */
export function importAkamai(draft: Draft, root: SourceNode): void {
  const settings = root.member('settings') ?? root;
  putResources(draft, root, root.member('enabled')?.boolean() ?? true);
  const validation = settings.member('validation') ?? settings.refuse('expected validation');
  putKeys(draft, validation);
  // The audience comes first, because every descriptor has it.
  draft.set(['audience'], null, validation);
  putLocation(draft, settings);
  const skew = settings.member('clockSkew');
  if (skew !== undefined) {
    if (skew.integer() > 60) skew.refuse('expected 0 to 60 seconds');
    draft.set(['clockSkew'], `${skew.integer()}s`, skew);
  }
  putClaims(draft, settings, validation);
  noteLeft(draft, [], validation, WHAT);
  noteLeft(draft, [], settings, WHAT);
}

function putResources(draft: Draft, root: SourceNode, isOn: boolean): void {
  const resources = root.member('resources');
  const all =
    resources === undefined
      ? []
      : resources.isObject()
        ? resources.members().map(([, resource]) => resource)
        : resources.items();
  let protects = isOn;
  for (const resource of all) {
    const enabled = resource.member('enabled')?.boolean();
    const inherits = resource.member('inheritsFromEndpoint')?.boolean() ?? enabled === undefined;
    const isProtected = inherits ? isOn : (enabled ?? isOn);
    const path = resource.oneOf('path', 'resourcePath')?.text() ?? 'a resource';
    const methods = resource.member('methods')?.texts() ?? [];
    protects ||= isProtected;
    if (!isProtected)
      draft.note(
        'safer',
        [],
        resource,
        `${quoted([methods.join(', '), path].join(' ').trim())} is exempt at the gateway; here a route is open if the code marks it as public`,
      );
  }
  if (!protects) root.refuse('switches JWT off everywhere; no descriptor decides the same');
}

function putLocation(draft: Draft, settings: SourceNode): void {
  const location = settings.member('location');
  const name = settings.member('paramName');
  if (location === undefined || name === undefined) {
    draft.note(
      'check',
      [],
      settings,
      'the location of the token is not set; it is read from Authorization: Bearer',
    );
    return;
  }
  switch (location.text().toUpperCase()) {
    case 'HEADER':
      draft.set(['tokenFrom'], [{ header: name.text() }], name);
      return;
    case 'COOKIE':
      draft.set(['tokenFrom'], [{ cookie: name.text() }], name);
      draft.note(
        'safer',
        ['tokenFrom', 0],
        location,
        'a request with an unsafe method must come from an origin of the service, or from one of allowedOrigins',
      );
      return;
    case 'QUERY':
    case 'QUERY_PARAM':
    case 'QUERY_PARAMETER':
      draft.set(['tokenFrom'], [{ query: name.text() }], name);
      draft.note(
        'check',
        ['tokenFrom', 0],
        location,
        'a token in the query appears in logs and histories; use a header instead',
      );
      return;
    default:
      location.refuse('expected HEADER, COOKIE or QUERY');
  }
}
