// Lint rules about the protected resource that a service is. Whether the application publishes its
// metadata cannot be seen in a descriptor.

import { isAuthorizationServer } from '../../resource/options.ts';
import { itemsOf, keysetsOf, type LintRule, membersOf, spotIf } from './rule.ts';

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
      const { url, authorizationServers, allowHttp } = membersOf(jwt.resource);
      const issuers = keysetsOf(jwt).map(({ value }) => value.issuer);
      const isTold = issuers.some(
        (issuer) => typeof issuer === 'string' && isAuthorizationServer(issuer, allowHttp === true),
      );
      return spotIf(url !== undefined && itemsOf(authorizationServers).length === 0 && !isTold, 'resource');
    },
  },
  {
    id: 'resource-in-clear',
    severity: 'warning',
    message: 'tokens for the service cross the network unencrypted',
    fix: 'serve it over https, and remove allowHttp',
    find: (jwt) => spotIf(membersOf(jwt.resource).allowHttp === true, 'resource.allowHttp'),
  },
];
