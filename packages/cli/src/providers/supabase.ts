// Supabase Auth with asymmetric signing keys. Projects with a shared secret are on its page.
import { misused } from '../failure.ts';
import type { FlagValues } from './flags.ts';
import { oneOrMany, type Provider, presetKeyset } from './preset.ts';

/** `supabase`: tokens of the signed-in users of a project. */
export const supabase: Provider = {
  name: 'supabase',
  page: 'supabase',
  needs: [['project', 'issuer']],
  takes: ['audience'],
  example: '--project abcdefghijklmnopqrst',
  write({ project: [project], issuer: [whole], audience }: FlagValues) {
    if ((project === undefined) === (whole === undefined))
      throw misused('--issuer: expected it in place of --project, for a server of your own');
    const issuer = whole ?? `https://${project}.supabase.co/auth/v1`;
    return {
      keysets: [
        presetKeyset(
          ['issuer', issuer, 'Supabase Auth: the users of this project'],
          ['jwksUrl', `${issuer}/.well-known/jwks.json`, 'The signing keys of the project.'],
          ['allowedAlgorithms', ['ES256', 'RS256'], 'The two kinds of signing keys that a project may have.'],
          [
            'audience',
            audience.length === 0 ? 'authenticated' : oneOrMany(audience),
            'The aud of all signed-in users, the same in every project: the issuer tells projects apart.',
          ],
          [
            'claims',
            { role: 'authenticated' },
            'anon and service_role are for the database, and not for users of this service.',
          ],
        ),
      ],
    };
  },
};
