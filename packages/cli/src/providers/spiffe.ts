// SPIFFE: JWT-SVIDs of the workloads of a trust domain.
import type { FlagValues } from './flags.ts';
import { oneOrMany, type Provider, presetKeyset } from './preset.ts';

/** `spiffe`: JWT-SVIDs of one trust domain. */
export const spiffe: Provider = {
  name: 'spiffe',
  page: 'spiffe',
  needs: [['trustDomain'], ['jwksUrl'], ['audience']],
  takes: ['issuer'],
  example: '--trust-domain example.org --jwks-url https://spire.example.org/bundle --audience orders',
  write: ({ trustDomain: [domain = ''], jwksUrl, audience, issuer }: FlagValues) => ({
    keysets: [
      presetKeyset(
        ['issuer', issuer[0], 'SPIFFE: the issuer that the server of the trust domain writes into iss'],
        ['jwksUrl', jwksUrl[0], 'The bundle endpoint of the trust domain.'],
        ['keyUse', 'jwt-svid', 'The bundle also has the keys of X.509-SVIDs, which sign no tokens.'],
        ['audience', oneOrMany(audience), 'The name that workloads ask a token for.'],
        [
          'claims',
          { sub: { pattern: `spiffe://${domain.replaceAll('.', '[.]')}/.+` } },
          'The workloads of this trust domain, and of no other that its bundle may be used for.',
        ],
      ),
    ],
  }),
};
