// Cloudflare Access, which puts a token into a header of each request that it lets through.
import type { FlagValues } from './flags.ts';
import { oneOrMany, type Provider, presetKeyset } from './preset.ts';

/** `cloudflare-access`: application tokens of a team. */
export const cloudflareAccess: Provider = {
  name: 'cloudflare-access',
  page: 'cloudflare-access',
  needs: [['team'], ['audience']],
  takes: [],
  example: '--team example --audience 4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2',
  write: ({ team, audience }: FlagValues) => ({
    keysets: [
      presetKeyset(
        ['issuer', `https://${team[0]}.cloudflareaccess.com`, 'Cloudflare Access: this team'],
        [
          'jwksUrl',
          `https://${team[0]}.cloudflareaccess.com/cdn-cgi/access/certs`,
          'The keys of the team, the same for all of its applications.',
        ],
        ['allowedAlgorithms', ['RS256'], 'Cloudflare signs with no other algorithm.'],
        [
          'audience',
          oneOrMany(audience),
          'The AUD tag of the application. Without it, tokens for other applications of the team are accepted.',
        ],
      ),
    ],
    header: {
      name: 'cf-access-jwt-assertion',
      comment: 'Access puts its token into this header, without a scheme.',
    },
  }),
};
