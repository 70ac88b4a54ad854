// `latchkey explain`: prints every check of a decision as a tree. Core makes the explanation.
import { compileAccess, type ExplainedCheck, type Explanation, type RouteAccess } from '@latchkey/core';
import type { CompiledAccess } from '@latchkey/core/adapter';
import type { Command } from 'commander';
import { Option } from 'commander';
import { type Context, command, type FormatOptions, withFile, withFormat } from '../context.ts';
import { type DecisionOptions, openDecision, readRequest, withDecisionOptions } from '../decision-options.ts';
import { Failure, misused } from '../failure.ts';
import { type Output, plain } from '../output.ts';
import { readToken, TOKEN_ARGUMENT } from '../token-input.ts';

const MARKS = {
  passed: ['green', '✓'],
  failed: ['red', '✗'],
  skipped: ['dim', '–'],
  unknown: ['yellow', '?'],
  'would refuse': ['yellow', '!'],
} as const satisfies Record<ExplainedCheck['outcome'], readonly [string, string]>;

interface ExplainOptions extends DecisionOptions, FormatOptions {
  readonly request?: string;
  /** What a route in code requires, as JSON. */
  readonly access?: string;
}

/** Makes the command. */
export function explain(context: Context): Command {
  const made = command(
    'explain',
    'Explain the decision about a token or a request: every check, and its reason.',
    [
      'latchkey explain --route admin < token.txt',
      `latchkey explain --access '{"audience":"orders","acr":["urn:example:mfa"]}' < token.txt`,
      'latchkey explain --request request.txt -o json',
      'curl -sv https://api.example.com/ 2>&1 | grep "^>" | latchkey explain --request -',
    ],
  )
    .argument('[token]', TOKEN_ARGUMENT)
    .addOption(
      new Option(
        '--request <file>',
        'a request instead of a token: its head in the format of HTTP/1.1; - reads stdin',
      ),
    )
    .addOption(
      new Option(
        '--access <json>',
        'what a route in code requires: { claims, issuers, audience, resource, actors, dpop, mutualTls, senderConstrained, acr, maxAge, mode }',
      ).conflicts(['route', 'claims']),
    );
  return withFormat(withDecisionOptions(withFile(made))).action(
    async (token: string | undefined, options: ExplainOptions) => {
      if (options.request !== undefined && token !== undefined)
        throw misused('expected a token, or --request with a token');
      const subject =
        options.request === undefined
          ? await readToken(context, token)
          : await readRequest(context, options.request);
      const access = options.access === undefined ? undefined : accessOf(options.access);
      const { authenticator, rules } = await openDecision(context, options);
      const required = access ?? rules;
      const asked = required === undefined ? ([] as const) : ([required] as const);
      try {
        const explanation = await context.output.waitFor(
          'deciding',
          authenticator.explain(subject, ...asked),
        );
        context.output.result(options.output, () => format(explanation, context.output), explanation);
        if (!explanation.allowed) throw new Failure(explanation.status === 503 ? 3 : 1, '');
      } finally {
        await authenticator.close();
      }
    },
  );
}

function accessOf(json: string): CompiledAccess {
  let access: unknown;
  try {
    access = JSON.parse(json);
  } catch {
    throw misused('--access is not JSON');
  }
  // compileAccess refuses access that cannot be used.
  return compileAccess(access as RouteAccess);
}

function format(explanation: Explanation, output: Output): string {
  const { allowed, status, code, detail, verified, checks } = explanation;
  const outcome = allowed
    ? output.style('green', 'allowed')
    : output.style('red', `refused: ${status} ${code}`);
  const why = detail === undefined ? '' : ` (${plain(detail)})`;
  return [
    ...checks.flatMap((check) => formatCheck(check, '', output)),
    '',
    ...(verified || !checks.some(({ check }) => check === 'registered claims')
      ? []
      : ['The claims above are UNVERIFIED: no trusted key has signed them.']),
    `${outcome}${why}`,
  ].join('\n');
}

function formatCheck(check: ExplainedCheck, indent: string, output: Output): readonly string[] {
  const [style, mark] = MARKS[check.outcome];
  const { about, expected, actual, detail, code } = check;
  const parts = [
    actual === undefined ? undefined : plain(actual),
    expected === undefined ? undefined : `expected: ${plain(expected)}`,
    detail === undefined ? undefined : plain(detail),
    code === undefined ? undefined : output.style(style, code),
  ].filter((part) => part !== undefined);
  const name = indent === '' ? `${check.check}: ${plain(about)}` : plain(about);
  return [
    `${indent}${output.style(style, mark)} ${[name, ...parts].join('  ·  ')}`,
    ...(check.checks ?? []).flatMap((inner) => formatCheck(inner, `${indent}    `, output)),
  ];
}
