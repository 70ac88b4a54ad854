// Lint rules about the protected resource that a service is. Whether the application publishes its
// metadata cannot be seen in a descriptor.

import { isAuthorizationServer } from '../../resource/options.ts';
import type { UncheckedOptions } from '../../values/readers.ts';
import { itemsOf, keysetsOf, type LintRule, membersOf, type Part, spotIf } from './rule.ts';

/** The rules about the protected resource, with their paths. */
export const resourceRules: readonly LintRule[] = [
  {
    id: 'resource-not-audience',
    severity: 'warning',
    message: 'clients ask for tokens for this URL, and audience refuses them',
    fix: 'add the URL to audience; or remove audience, which then is the URL',
    find: (jwt) => {
      const { url } = membersOf(jwt.resource);
      const names = [jwt.audience].flat();
      const isOther = typeof url === 'string' && typeof names[0] === 'string' && !names.includes(url);
      return spotIf(isOther, 'resource.url');
    },
  },
  {
    id: 'resource-without-issuers',
    severity: 'warning',
    message: 'clients are not told which issuers they get tokens from: no keyset has an https URL as issuer',
    fix: 'add authorizationServers to resource',
    find: (jwt) => {
      const issuers = keysetsOf(jwt).map(({ value }) => value.issuer);
      return resourcesOf(jwt).flatMap(({ path, value: { url, authorizationServers, allowHttp } }) => {
        const isTold = issuers.some(
          (issuer) => typeof issuer === 'string' && isAuthorizationServer(issuer, allowHttp === true),
        );
        return spotIf(url !== undefined && itemsOf(authorizationServers).length === 0 && !isTold, path);
      });
    },
  },
  {
    id: 'resource-in-clear',
    severity: 'warning',
    message: 'tokens for the service cross the network unencrypted',
    fix: 'serve it over https, and remove allowHttp',
    find: (jwt) =>
      resourcesOf(jwt).flatMap(({ path, value }) => spotIf(value.allowHttp === true, `${path}.allowHttp`)),
  },
  {
    id: 'resource-unreachable',
    severity: 'warning',
    message: 'no token is accepted on the routes of this resource: every keyset has other audiences',
    fix: 'add the URL of the resource to the audience of the keysets whose issuers make tokens for it',
    find: (jwt) => {
      const keysets = keysetsOf(jwt);
      const named = Object.entries(membersOf(jwt.resources));
      return named.flatMap(([name, one]) => {
        const { url } = membersOf(one);
        const isOpen = ({ value: { audience } }: (typeof keysets)[number]) =>
          audience === undefined || [audience].flat().some((one) => one === url);
        const isClosed = keysets.length > 0 && !keysets.some(isOpen) && jwt.keys === undefined;
        return spotIf(isClosed && jwt.remote === undefined, `resources.${name}.url`);
      });
    },
  },
];

/** That of all routes, and those that routes name. */
function resourcesOf(jwt: UncheckedOptions): readonly Part[] {
  const named = Object.entries(membersOf(jwt.resources));
  return [
    ...(jwt.resource === undefined ? [] : [{ path: 'resource', value: membersOf(jwt.resource) }]),
    ...named.map(([name, value]) => ({ path: `resources.${name}`, value: membersOf(value) })),
  ];
}
