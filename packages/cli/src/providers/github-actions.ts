// GitHub Actions. Each workflow of the world chooses the audience of its token, so rules on the
// repository decide.
import type { FlagValues } from './flags.ts';
import { oneOf, oneOrMany, type Provider, presetKeyset, rules } from './preset.ts';

const ISSUER = 'https://token.actions.githubusercontent.com';

/** `github-actions`: OIDC tokens of the jobs of workflows. */
export const githubActions: Provider = {
  name: 'github-actions',
  page: 'github-actions',
  needs: [['audience'], ['repository', 'repositoryId']],
  takes: ['ref', 'environment'],
  example: '--audience https://deploy.example.com --repository octo-org/octo-repo',
  write: ({ audience, repository, repositoryId, ref, environment }: FlagValues) => ({
    keysets: [
      presetKeyset(
        ['issuer', ISSUER, 'GitHub Actions: the jobs of all repositories on github.com'],
        ['jwksUrl', `${ISSUER}/.well-known/jwks`, 'The keys that the metadata of this issuer name.'],
        ['allowedAlgorithms', ['RS256'], 'GitHub signs with no other algorithm.'],
        [
          'audience',
          oneOrMany(audience),
          'The audience that the workflow asks for. Any workflow may ask for it.',
        ],
        [
          'claims',
          rules({
            repository: repository.length === 0 ? undefined : oneOf(repository),
            repository_id: repositoryId.length === 0 ? undefined : oneOf(repositoryId),
            ref: ref[0],
            environment: environment[0],
          }),
          'Whose jobs may call. Without a rule here, jobs of every repository may.',
        ],
      ),
    ],
  }),
};
