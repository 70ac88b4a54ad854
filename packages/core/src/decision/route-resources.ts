// The resources that routes belong to, where a service is several (RFC 9728), and what each asks of
// the audience of a token. Their options and their metadata are in resource/.
import type { ProtectionSpace } from '../challenge.ts';
import { type AudienceMatch, type AudiencePolicy, audienceText, checkAudience } from '../claims/audience.ts';
import { type AuthError, ConfigError, withDetail } from '../errors.ts';
import type { ProtectedResource } from '../resource/metadata.ts';
import type { ResourceSettings } from '../resource/options.ts';
import { type JsonObject, type JsonValue, own } from '../values/json.ts';
import { meant } from '../values/kind.ts';
import { type Kind, text } from '../values/option.ts';

/** A resource of the options that routes name. */
export interface RouteResource {
  readonly name: string;
  /** What all challenges of its routes have in common. */
  readonly space: ProtectionSpace;
  /** The expectation, for `explain`. */
  readonly expected: string;
  /**
   * Returns why a token is not for the resource; undefined if it is.
   * @param itself `aud` of the JWT whose claims an endpoint has answered with
   */
  readonly judge: (claims: JsonObject, itself: JsonValue | undefined) => AuthError | undefined;
}

/** The resources that routes may name, by name. */
export type RouteResources = ReadonlyMap<string, RouteResource>;

/** Those of options without `resources`. */
export const NO_RESOURCES: RouteResources = new Map();

/** `resource` of a route. Whether the options have it is checked where they are known. */
export const resourceName: Kind<string> = {
  ...text,
  read(value, path) {
    if (typeof value === 'object' && value !== null)
      throw new ConfigError(path, 'expected the name of a resource in resources of the options');
    return text.read(value, path);
  },
};

/** Makes the resources that routes may name. */
export function routeResources(
  named: ReadonlyMap<string, ProtectedResource>,
  audienceMatch: AudienceMatch,
  space: Pick<ProtectionSpace, 'realm' | 'isExposed' | 'dpop'>,
): RouteResources {
  return new Map(
    [...named].map(([name, { url, metadataUrl: resourceMetadata }]) => {
      const policy = { audience: new Set([url]), audienceMatch, owner: `of the resource ${name}` };
      const resource: RouteResource = Object.freeze({
        name,
        space: Object.freeze({ ...space, resourceMetadata }),
        expected: audienceText(policy),
        judge: (claims: JsonObject, itself: JsonValue | undefined) =>
          checkAudience(own(claims, 'aud'), policy) ?? checkItself(itself, policy),
      });
      return [name, resource];
    }),
  );
}

/**
 * Checks `aud` of the JWT that an endpoint accepted. It only restricts: a token for another
 * resource is refused, whatever the endpoint answers.
 * @param itself undefined if the JWT has no `aud`, or no endpoint has accepted it
 */
export function checkItself(itself: JsonValue | undefined, policy: AudiencePolicy): AuthError | undefined {
  const refusal = itself === undefined ? undefined : checkAudience(itself, policy);
  return refusal && withDetail(refusal, `the token itself: ${refusal.detail}`);
}

/**
 * Checks the resources of options with each other, and with the named routes.
 * @throws ConfigError
 */
export function checkResources(
  {
    resource,
    resources = new Map(),
  }: {
    readonly resource: ResourceSettings | undefined;
    readonly resources: ReadonlyMap<string, ResourceSettings> | undefined;
  },
  routes: ReadonlyMap<string, { readonly requires: { readonly resource?: string | undefined } }>,
): void {
  if (resources.size > 0 && resource === undefined)
    throw new ConfigError('resource', 'is required with resources: it is that of routes that name none');
  const names = new Map<string, string>([[comparable(resource?.url ?? ''), 'resource']]);
  for (const [name, { url }] of resources) {
    const path = `resources.${name}`;
    const other = names.get(comparable(url));
    if (other !== undefined)
      throw new ConfigError(`${path}.url`, `expected another URL than that of ${other}`);
    names.set(comparable(url), path);
  }
  for (const [name, { requires }] of routes) {
    const asked = requires.resource;
    if (asked !== undefined && !resources.has(asked))
      throw new ConfigError(
        `routes.${name}.resource`,
        `expected a resource of the options, got ${noResource(asked, [...resources.keys()])}`,
      );
  }
}

/** Two URLs that differ only by the final slash have their metadata at one path. */
function comparable(url: string): string {
  return url.replace(/\/$/, '');
}

/**
 * Finds the resource of a route by its name.
 * @returns undefined for a route that names none
 * @throws TypeError if the options do not have it
 */
export function resourceOf(
  name: string | undefined,
  resources: RouteResources | undefined,
): RouteResource | undefined {
  if (name === undefined) return undefined;
  const found = resources?.get(name);
  if (found === undefined)
    throw new TypeError(
      `access.resource: the options have no ${noResource(name, [...(resources?.keys() ?? [])])}`,
    );
  return found;
}

/** Says which resources there are in place of this one. */
export function noResource(name: string, names: readonly string[]): string {
  const there = names.length === 0 ? 'there are none' : `there are ${names.join(', ')}`;
  return `resource ${name}; ${there}${meant(name, names)}`;
}
