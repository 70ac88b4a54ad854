// The commands that `--serve` prints, to paste into a shell. Each shows the expected status next to
// the status that it gets.
import type { DemoService } from './service.ts';
import type { Tokens } from './story.ts';

/** The tokens, once, as variables of the shell. */
export function settings({ alice, bob }: Pick<Tokens, 'alice' | 'bob'>): string {
  return `
# Paste these lines first. The tokens are valid for five minutes
export ALICE=${alice}
export BOB=${bob}`;
}

/** The commands for one service. */
export function commandsFor({
  framework,
  url,
  friendToken,
}: Pick<DemoService, 'framework' | 'url'> & { readonly friendToken: string }): string {
  const as = (name: string) => `-H "Authorization: Bearer $${name}"`;
  const json = "-H 'Content-Type: application/json'";
  const curl = (expected: number, path: string, ...rest: readonly string[]) =>
    [`curl -iw '\\nexpected ${expected}, got %{http_code}\\n' ${url}${path}`, ...rest].join(' ');
  return [
    '',
    `# ${framework}`,
    `export FRIEND=${friendToken}`,
    curl(200, '/health'),
    curl(401, '/friends'),
    curl(200, '/friends', as('ALICE')),
    curl(200, '/admin', as('ALICE')),
    curl(403, '/admin', as('BOB')),
    curl(200, '/token', json, `-d '{"user":"john","pass":"doe"}'`),
    curl(
      201,
      '/messages',
      as('ALICE'),
      json,
      `-d "{\\"friendToken\\":\\"$FRIEND\\",\\"text\\":\\"Hello\\"}"`,
    ),
  ].join('\n');
}

/** The command for a new token, and how to stop. */
export function newToken(issuer: string): string {
  return `
# A new token for Alice: paste the access_token after export ALICE=
curl -s ${issuer}/token -u alice:alice-secret -d grant_type=client_credentials -d 'scope=friends:read messages:write'

The servers run until you press Ctrl-C.`;
}
