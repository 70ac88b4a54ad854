// Lint: the dangers in a descriptor, each with its fix. Here they are put together; what each rule
// looks at stands in lint/.

import type { DescriptorDocument } from '../descriptor/document.ts';
import { interpolate } from '../descriptor/interpolate.ts';
import { own } from '../values/json.ts';
import type { UncheckedOptions } from '../values/readers.ts';
import { algorithmRules } from './lint/algorithms.ts';
import { endpointRules } from './lint/endpoints.ts';
import { lintInlineKeys, type UnplacedFinding } from './lint/jwks.ts';
import { keysetRules } from './lint/keysets.ts';
import { literalRules, variablesIn } from './lint/literals.ts';
import { refusalsOf } from './lint/refused.ts';
import type { Finding, LintRule } from './lint/rule.ts';
import { lintSecrets } from './lint/secrets.ts';
import { tokenRules } from './lint/tokens.ts';

/** What surrounds a descriptor. */
export interface LintContext {
  /**
   * The directory of its secrets, which are looked at then: that they are there, are keys, and are
   * private. Default: they are not.
   */
  readonly secrets?: string | undefined;
  /** What `${NAME}` stands for. Default `process.env`. */
  readonly environment?: { readonly [name: string]: string | undefined } | undefined;
}

/** Every rule that looks at options, by what it is about. For documentation. */
export const lintRules: readonly LintRule[] = [
  ...keysetRules,
  ...algorithmRules,
  ...tokenRules,
  ...endpointRules,
  ...literalRules,
];

/**
 * Finds what is dangerous, deprecated or refused in a descriptor. Fetches nothing, and changes
 * nothing.
 * @returns findings in the order of the file; none holds a secret
 */
export async function lintDescriptor(
  document: DescriptorDocument,
  { secrets, environment = process.env }: LintContext = {},
): Promise<readonly Finding[]> {
  const unset = variablesIn(document.jwt).filter(({ name }) => own(environment, name) === undefined);
  const jwt = interpolate(document.jwt, knownIn(environment, unset));
  const written = new Set<LintRule>(literalRules);
  const found: readonly UnplacedFinding[] = [
    ...lintRules.flatMap((rule) => findingsOf(rule, written.has(rule) ? document.jwt : jwt)),
    ...unset.map(({ path, name }) => ({
      rule: 'variable-unset',
      severity: 'warning' as const,
      path,
      message: `the variable ${name} is not set here; where it is not, the service does not start`,
      fix: 'set it where the service runs',
    })),
    ...lintInlineKeys(jwt),
    ...(secrets === undefined ? [] : await lintSecrets(jwt, secrets)),
  ];
  const all = [...found, ...refused(jwt, found)].map((finding) => ({
    ...finding,
    place: document.placeOf(finding.path),
  }));
  return Object.freeze(all.sort(byPlace).map((finding) => Object.freeze(finding)));
}

function findingsOf(
  { id, severity, message, fix, find }: LintRule,
  jwt: UncheckedOptions,
): UnplacedFinding[] {
  return find(jwt).map(({ path, about }) => ({
    rule: id,
    severity,
    path,
    message: about === undefined ? message : `${about}: ${message}`,
    fix,
  }));
}

/** What core refuses, unless it has been said already, or only a variable stands there. */
function refused(jwt: UncheckedOptions, found: readonly UnplacedFinding[]): readonly UnplacedFinding[] {
  const said = (refusal: string) =>
    found.some(
      ({ severity, rule, path }) =>
        (severity === 'error' && (isWithin(path, refusal) || isWithin(refusal, path))) ||
        (rule === 'variable-unset' && isWithin(refusal, path)),
    );
  return refusalsOf(jwt)
    .filter(({ path }) => !said(path))
    .map(({ path, problem }) => ({
      rule: 'refused',
      severity: 'error' as const,
      path,
      message: problem,
      fix: 'fix it as the message says: a service does not start with this',
    }));
}

/** Variables that are not set stay as they are written. */
function knownIn(
  environment: NonNullable<LintContext['environment']>,
  unset: readonly { readonly name: string }[],
): NonNullable<LintContext['environment']> {
  return { ...environment, ...Object.fromEntries(unset.map(({ name }) => [name, `\${${name}}`])) };
}

/** True for the same place, and for one inside it. */
function isWithin(path: string, around: string): boolean {
  return path === around || path.startsWith(`${around}.`) || path.startsWith(`${around}[`);
}

function byPlace({ place: a, rule: first }: Finding, { place: b, rule: second }: Finding): number {
  return a.line - b.line || a.column - b.column || first.localeCompare(second);
}
