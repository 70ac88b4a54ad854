// What a route requires, in words for the description of its operation. Has what the options say,
// and nothing of a token.
import { type ClaimCheck, checksIn } from '../claims/compile.ts';
import { ALWAYS, enforcedText } from '../claims/enforce.ts';
import { ruleText } from '../claims/normalize.ts';
import { resourceOf } from '../decision/route-resources.ts';
import { sourcesOf } from '../decision/sources.ts';
import { type Asked, checksOf, type Guard, judgeOf, withRules } from './guards.ts';

/** The description of a route; undefined for a public one. */
export function wordsFor(
  guards: readonly Guard[],
  requirement: 'token' | 'optional token',
  rules: 'rules' | 'names',
): string {
  const first =
    requirement === 'token' ? 'Needs a token.' : 'A token is optional. One that is sent must be valid.';
  const permissive = 'A token is optional. One that is not valid counts as none.';
  const isPermissive = requirement !== 'token' && guards.every(({ mode }) => mode === 'permissive');
  const lines = guards.flatMap((guard) => linesOf(guard.by, guard, rules, ''));
  const said = [...new Set(lines)].map((line) => `- ${line}`);
  return [
    isPermissive ? permissive : first,
    ...(said.length === 0 ? [] : ['The token has to satisfy:', said.join('\n')]),
  ].join('\n\n');
}

function linesOf(by: object, asked: Asked, rules: 'rules' | 'names', whose: string): readonly string[] {
  const sources = sourcesOf(by);
  if (sources !== undefined) {
    const count = sources.needs === 'all' ? 'each' : 'one';
    return sources.parts.flatMap(({ authenticator, claims }, index) =>
      linesOf(
        authenticator,
        withRules(asked, claims),
        rules,
        `${whose}token ${index + 1} of ${sources.parts.length} (${count} is needed): `,
      ),
    );
  }
  const judge = judgeOf(by, asked);
  const { settings } = judge;
  const checks = [...(settings === undefined ? [] : checksIn(settings.claims)), ...checksOf(judge)];
  const resources = judge.requires.flatMap(({ resource }) => {
    const named = settings && resourceOf(resource, settings.resources);
    return named === undefined ? [] : [{ about: 'aud', expected: named.expected }];
  });
  const required = [
    ...resources,
    ...judge.requires.flatMap(({ checks: each, enforcedFromMs = ALWAYS }) =>
      each.map(({ about, expected }) => ({ about, expected: `${expected}${later(enforcedFromMs)}` })),
    ),
  ].map(({ about, expected }) => (rules === 'names' ? code(about) : `${code(about)} is ${expected}`));
  return [...checks.map((check) => lineOf(check, rules)), ...required].map((line) => `${whose}${line}`);
}

function later(enforcedFromMs: number): string {
  return enforcedFromMs === ALWAYS ? '' : ` (${enforcedText(enforcedFromMs)})`;
}

function lineOf({ claim, rule }: ClaimCheck, rules: 'rules' | 'names'): string {
  const name = claim === '' ? 'the claims' : code(claim);
  return rules === 'names' ? name : `${name} ${ruleText(rule)}`;
}

/** A name as code in Markdown, also one with backticks. */
function code(name: string): string {
  return name.includes('`') ? `\`\` ${name} \`\`` : `\`${name}\``;
}
