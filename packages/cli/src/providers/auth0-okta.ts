// Auth0 and Okta. Both have an audience that belongs to an API, and metadata at the issuer.
import type { FlagValues } from './flags.ts';
import { oneOrMany, type Provider, presetKeyset } from './preset.ts';

/** `auth0`: access tokens for an API of a tenant. */
export const auth0: Provider = {
  name: 'auth0',
  page: 'auth0',
  needs: [['domain'], ['audience']],
  takes: [],
  example: '--domain tenant.eu.auth0.com --audience https://api.example.com',
  write: ({ domain, audience }: FlagValues) => ({
    keysets: [
      presetKeyset(
        ['issuer', `https://${domain[0]}/`, 'Auth0: the final slash is part of the issuer'],
        ['useOidcDiscovery', true, 'The metadata of this issuer say where the keys are.'],
        ['allowedAlgorithms', ['RS256'], 'The default of an API. HS256 would need a secret here.'],
        [
          'audience',
          oneOrMany(audience),
          'The identifier of the API. Without an audience in its request, a client gets an opaque token.',
        ],
      ),
    ],
  }),
};

/** `okta`: access tokens of a custom authorization server. */
export const okta: Provider = {
  name: 'okta',
  page: 'okta',
  needs: [['domain'], ['audience']],
  takes: ['authorizationServer'],
  example: '--domain example.okta.com --audience api://default',
  write: ({ domain, audience, authorizationServer: [server = 'default'] }: FlagValues) => ({
    keysets: [
      presetKeyset(
        [
          'issuer',
          `https://${domain[0]}/oauth2/${server}`,
          'Okta: a custom authorization server; tokens of the org server are for Okta only',
        ],
        ['useOidcDiscovery', true, 'The metadata of this issuer say where the keys are.'],
        ['allowedAlgorithms', ['RS256'], 'Okta signs with no other algorithm.'],
        ['audience', oneOrMany(audience), 'The audience in the settings of the authorization server.'],
      ),
    ],
  }),
};
