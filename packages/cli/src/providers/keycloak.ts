// Keycloak. Its access tokens have the audience of the API only if a mapper writes it.
import { misused } from '../failure.ts';
import type { FlagValues } from './flags.ts';
import { oneOf, oneOrMany, type Provider, presetKeyset, rules } from './preset.ts';

/** `keycloak`: access tokens of a realm. */
export const keycloak: Provider = {
  name: 'keycloak',
  page: 'keycloak',
  needs: [
    ['domain', 'issuer'],
    ['audience', 'clientId'],
  ],
  takes: ['realm'],
  example: '--domain sso.example.com --realm shop --audience orders-api',
  write(flags: FlagValues) {
    const { audience, clientId } = flags;
    const hasAudience = audience.length > 0;
    return {
      keysets: [
        presetKeyset(
          ['issuer', issuerOf(flags), 'Keycloak: a realm'],
          ['useOidcDiscovery', true, 'The metadata of this issuer say where the keys are.'],
          ['allowedAlgorithms', ['RS256'], 'The default of a realm.'],
          [
            'audience',
            hasAudience ? oneOrMany(audience) : null,
            hasAudience
              ? 'An audience mapper writes it into the tokens of a client.'
              : 'Without an audience mapper, aud does not name the API. The rule on azp does its work.',
          ],
          [
            'claims',
            rules({ typ: 'Bearer', azp: clientId.length === 0 ? undefined : oneOf(clientId) }),
            clientId.length === 0
              ? 'The claim typ is ID in ID tokens, which must not pass.'
              : 'The claim typ is ID in ID tokens, which must not pass. azp is the client that asked for\nthe token.',
          ],
        ),
      ],
    };
  },
};

function issuerOf({ domain, realm, issuer }: FlagValues): string {
  const [whole] = issuer;
  if ((domain.length > 0 || realm.length > 0) === (whole !== undefined))
    throw misused(
      '--issuer: expected it in place of --domain and --realm, for a server with another path, like https://sso.example.com/auth/realms/shop',
    );
  if (whole !== undefined) return whole;
  if (realm.length === 0) throw misused('keycloak needs --realm next to --domain');
  return `https://${domain[0]}/realms/${realm[0]}`;
}
