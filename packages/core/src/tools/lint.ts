// Lint: finds the dangers in a descriptor, each with its fix. This file combines the rules; each
// rule is in lint/.
import { isAbsolute } from 'node:path';

import type { DescriptorDocument } from '../descriptor/document.ts';
import { interpolate } from '../descriptor/interpolate.ts';
import { own } from '../values/json.ts';
import type { UncheckedOptions } from '../values/readers.ts';
import { algorithmRules } from './lint/algorithms.ts';
import { endpointRules } from './lint/endpoints.ts';
import { enforceRules } from './lint/enforce.ts';
import { lintInlineKeys, type UnplacedFinding } from './lint/jwks.ts';
import { keysetRules } from './lint/keysets.ts';
import { literalRules, variablesIn } from './lint/literals.ts';
import { possessionRules } from './lint/possession.ts';
import { refusalsOf } from './lint/refused.ts';
import { resourceRules } from './lint/resource.ts';
import { revocationRules } from './lint/revocation.ts';
import type { Finding, LintRule } from './lint/rule.ts';
import { lintSecrets } from './lint/secrets.ts';
import { tenantRules } from './lint/tenants.ts';
import { tokenRules } from './lint/tokens.ts';

/** The surroundings of a descriptor. */
export interface LintContext {
  /**
   * The directory of its secrets. If given, lint checks that they exist, are keys, and are private.
   * Default: secrets are not checked.
   */
  readonly secrets?: string | undefined;
  /** The values of `${NAME}`. Default `process.env`. */
  readonly environment?: { readonly [name: string]: string | undefined } | undefined;
}

/** Every rule about options, by subject. Used for documentation. */
export const lintRules: readonly LintRule[] = [
  ...keysetRules,
  ...tenantRules,
  ...algorithmRules,
  ...tokenRules,
  ...enforceRules,
  ...resourceRules,
  ...possessionRules,
  ...revocationRules,
  ...endpointRules,
  ...literalRules,
];

/**
 * Finds dangerous, deprecated and refused options in a descriptor. Fetches nothing, and changes
 * nothing.
 * @returns findings in the order of the file; none contains a secret
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
      message: `the variable ${name} is not set here; without it, the service does not start`,
      fix: 'set it in the environment of the service',
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

/**
 * The options that core refuses, without those that a rule has reported already, and without those
 * that only contain a variable.
 */
function refused(jwt: UncheckedOptions, found: readonly UnplacedFinding[]): readonly UnplacedFinding[] {
  const said = (refusal: string) =>
    found.some(
      ({ severity, rule, path }) =>
        (severity === 'error' && (isWithin(path, refusal) || isWithin(refusal, path))) ||
        (rule === 'variable-unset' && isWithin(refusal, path)),
    );
  return refusalsOf(jwt)
    .filter(({ path }) => !said(path))
    .map(({ path, problem }) =>
      // As in a pod, where the platform mounts it.
      isElsewhere(problem)
        ? {
            rule: 'file-absent',
            severity: 'warning' as const,
            path,
            message: `${problem} on this machine; without it, the service does not start`,
            fix: 'run lint where the service runs, or see that the file is there',
          }
        : {
            rule: 'refused',
            severity: 'error' as const,
            path,
            message: problem,
            fix: 'fix it as the message says; the service does not start with it',
          },
    );
}

/** True for an absolute path that does not exist here. */
function isElsewhere(problem: string): boolean {
  return isAbsolute(problem) && /^.[^']* cannot be read: ENOENT$/.test(problem);
}

/** Replaces the variables that are set; others stay as written. */
function knownIn(
  environment: NonNullable<LintContext['environment']>,
  unset: readonly { readonly name: string }[],
): NonNullable<LintContext['environment']> {
  return { ...environment, ...Object.fromEntries(unset.map(({ name }) => [name, `\${${name}}`])) };
}

/** True for the same path, and for a path inside it. */
function isWithin(path: string, around: string): boolean {
  return path === around || path.startsWith(`${around}.`) || path.startsWith(`${around}[`);
}

function byPlace({ place: a, rule: first }: Finding, { place: b, rule: second }: Finding): number {
  return a.line - b.line || a.column - b.column || first.localeCompare(second);
}
