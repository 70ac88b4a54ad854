// `latchkey tokens verify`: verifies a token by the descriptor, and prints its issuer and subject.
import { authorize, type Principal } from '@latchkey/core';
import type { Command } from 'commander';
import { type Context, command, type FormatOptions, withFile, withFormat } from '../context.ts';
import { type DecisionOptions, openDecision, withDecisionOptions } from '../decision-options.ts';
import { plain } from '../output.ts';
import { readToken, TOKEN_ARGUMENT } from '../token-input.ts';

/** Makes the command. */
export function verify(context: Context): Command {
  const made = command(
    'verify',
    'Verify a token by the descriptor and the rules of a route. Exit code 1: the token is refused.',
    ['latchkey tokens verify < token.txt', 'latchkey tokens verify --route admin -o json < token.txt'],
  ).argument('[token]', TOKEN_ARGUMENT);
  return withFormat(withDecisionOptions(withFile(made))).action(
    async (given: string | undefined, options: DecisionOptions & FormatOptions) => {
      const token = await readToken(context, given);
      const { authenticator, rules } = await openDecision(context, options);
      try {
        const principal = await context.output.waitFor('verifying', authenticator.verify(token));
        if (rules !== undefined) authorize(principal, rules);
        context.output.result(options.output, () => format(principal), { verified: true, ...principal });
      } finally {
        await authenticator.close();
      }
    },
  );
}

function format({ issuer, subject, scopes, groups, claims }: Principal): string {
  const rows = {
    issuer: issuer ?? '(none)',
    subject: subject ?? '(none)',
    scopes: scopes.join(' '),
    groups: groups.join(', '),
    claims: JSON.stringify(claims),
  };
  return [
    'The token is valid.',
    ...Object.entries(rows).map(([name, text]) => `${name.padEnd(8)} ${plain(text)}`),
  ].join('\n');
}
