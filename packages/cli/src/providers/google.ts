// Google: ID tokens of accounts, Firebase Authentication, and the Identity-Aware Proxy.
import type { FlagValues } from './flags.ts';
import { oneOf, oneOrMany, type Provider, presetKeyset, rules } from './preset.ts';

/** `google`: ID tokens of Google accounts. */
export const google: Provider = {
  name: 'google',
  page: 'google',
  needs: [['clientId']],
  takes: ['domain'],
  example: '--client-id 1234567890-abc.apps.googleusercontent.com',
  write: ({ clientId, domain }: FlagValues) => ({
    keysets: ['https://accounts.google.com', 'accounts.google.com'].map((issuer, index) =>
      presetKeyset(
        ['issuer', issuer, index === 0 ? 'Google: ID tokens' : 'Google: the other spelling of its issuer'],
        [
          'jwksUrl',
          'https://www.googleapis.com/oauth2/v3/certs',
          'The keys that the metadata of Google name.',
        ],
        ['allowedAlgorithms', ['RS256'], 'Google signs ID tokens with no other algorithm.'],
        [
          'audience',
          oneOrMany(clientId),
          'Your client ID. Without it, ID tokens for every application of the world are accepted.',
        ],
        [
          'claims',
          rules({ hd: domain.length === 0 ? undefined : oneOf(domain) }),
          'The organization of the account. The domain of an email address does not say that.',
        ],
      ),
    ),
  }),
};

/** `firebase`: ID tokens of Firebase Authentication. */
export const firebase: Provider = {
  name: 'firebase',
  page: 'firebase',
  needs: [['project']],
  takes: [],
  example: '--project my-project-1a2b3',
  write: ({ project: [project = ''] }: FlagValues) => ({
    keysets: [
      presetKeyset(
        ['issuer', `https://securetoken.google.com/${project}`, 'Firebase Authentication: this project'],
        [
          'jwksUrl',
          'https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com',
          'The keys as a JWK Set. The URL with x509 in the documentation has certificates instead.',
        ],
        ['allowedAlgorithms', ['RS256'], 'Firebase signs with no other algorithm.'],
        ['audience', project, 'All projects have the same keys: aud is the project, as in the issuer.'],
      ),
    ],
  }),
};

/** `iap`: the signed header of the Identity-Aware Proxy. */
export const iap: Provider = {
  name: 'iap',
  page: 'iap',
  needs: [['audience']],
  takes: [],
  example: '--audience /projects/123456789012/global/backendServices/9876543210',
  write: ({ audience }: FlagValues) => ({
    keysets: [
      presetKeyset(
        ['issuer', 'https://cloud.google.com/iap', 'Google Identity-Aware Proxy'],
        [
          'jwksUrl',
          'https://www.gstatic.com/iap/verify/public_key-jwk',
          'The keys as a JWK Set; they are the same for all projects.',
        ],
        ['allowedAlgorithms', ['ES256'], 'The proxy signs with no other algorithm.'],
        [
          'audience',
          oneOrMany(audience),
          'The backend in this project. Without it, headers for backends of other projects are accepted.',
        ],
      ),
    ],
    header: {
      name: 'x-goog-iap-jwt-assertion',
      comment: 'The proxy puts its token into this header, without a scheme.',
    },
  }),
};
