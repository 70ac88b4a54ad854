// Clerk. Its session tokens have no aud: azp is the origin of the page that got the token.
import type { FlagValues } from './flags.ts';
import { oneOf, oneOrMany, type Provider, presetKeyset } from './preset.ts';

/** `clerk`: session tokens of an application. */
export const clerk: Provider = {
  name: 'clerk',
  page: 'clerk',
  needs: [['domain'], ['origin']],
  takes: ['audience'],
  example: '--domain clerk.example.com --origin https://app.example.com',
  write: ({ domain, origin, audience }: FlagValues) => ({
    keysets: [
      presetKeyset(
        ['issuer', `https://${domain[0]}`, 'Clerk: the Frontend API URL of the application'],
        ['jwksUrl', `https://${domain[0]}/.well-known/jwks.json`, 'The keys of the application.'],
        ['allowedAlgorithms', ['RS256'], 'Clerk signs session tokens with no other algorithm.'],
        [
          'audience',
          audience.length === 0 ? null : oneOrMany(audience),
          audience.length === 0
            ? 'Session tokens have no aud unless you add one. The rule on azp does its work.'
            : 'The aud that the settings of the session token add.',
        ],
        [
          'claims',
          { azp: oneOf(origin), sts: { optional: { noneOf: ['pending'] } } },
          'azp is the origin of the page that got the token. In a pending session, the user still\nhas to do something before the sign-in is complete.',
        ],
      ),
    ],
  }),
};
