// What holds for the claims of a token, one by one: the registered ones, the rules, the system's subject.
import { type CompiledRules, checksIn } from '../../claims/compile.ts';
import { claimAt } from '../../claims/path.ts';
import {
  checkRegisteredClaims,
  type RegisteredClaimsPolicy,
  readNumericDate,
} from '../../claims/registered.ts';
import type { RequestParameters } from '../../claims/rules.ts';
import { AuthError } from '../../errors.ts';
import { type JsonObject, own } from '../../values/json.ts';
import type { Settings } from '../options.ts';
import { attempt, type ExplainedCheck, ruleText, textOf, timeText } from './check.ts';

/** Judges nothing: what is asked of one claim is put beside it. */
const NOTHING: RegisteredClaimsPolicy = {
  audience: null,
  clockSkewMs: 0,
  requireExp: false,
  acceptSenderConstrained: true,
};

/** Explains the registered claims, each by itself. @param isRemote they are an endpoint's answer, which need not have an end or an audience */
export function explainRegistered(
  claims: JsonObject,
  isRemote: boolean,
  { registered, clock }: Pick<Settings, 'registered' | 'clock'>,
): readonly ExplainedCheck[] {
  const { clockSkewMs, treatIatAsNbf, maxTokenAgeMs, required = [] } = registered;
  const nowMs = clock.now();
  const now = new Date(nowMs).toISOString();
  const skew = `give or take ${clockSkewMs / 1000} s`;
  const requireExp = registered.requireExp && !isRemote;
  const judge = (
    about: string,
    names: readonly string[],
    policy: Partial<RegisteredClaimsPolicy>,
    expected: string,
    actual = textOf(own(claims, about)),
  ): ExplainedCheck =>
    attempt({ check: 'registered claims', about, expected, actual }, () =>
      checkRegisteredClaims(pick(claims, names), { ...NOTHING, ...policy }, nowMs),
    );
  // What is no time is found before any of them is judged.
  const times = ['exp', 'nbf', 'iat'].map((about) =>
    attempt(
      {
        check: 'registered claims',
        about,
        expected: 'a time in seconds',
        actual: textOf(own(claims, about)),
      },
      () => void readNumericDate(claims, about),
    ),
  );
  const wrong = times.filter(({ outcome }) => outcome === 'failed');
  const checks = [
    judge(
      'exp',
      ['exp'],
      { clockSkewMs, requireExp },
      `${requireExp ? '' : 'if there: '}after ${now}, ${skew}`,
      timeText(own(claims, 'exp')),
    ),
    judge(
      'nbf',
      ['nbf'],
      { clockSkewMs },
      `if there: not after ${now}, ${skew}`,
      timeText(own(claims, 'nbf')),
    ),
    judge(
      'iat',
      ['iat'],
      { clockSkewMs, treatIatAsNbf, maxTokenAgeMs },
      `not after ${now}, ${skew}${maxTokenAgeMs === undefined ? '' : `, and not older than ${maxTokenAgeMs / 1000} s`}`,
      timeText(own(claims, 'iat')),
    ),
    ...required.map((name) => judge(name, [name], { required: [name] }, 'there')),
    ...['sub', 'jti', 'client_id']
      .filter((name) => Object.hasOwn(claims, name))
      .map((name) => judge(name, [name], {}, 'a text that names somebody')),
  ];
  const { exp, iat } = { exp: own(claims, 'exp'), iat: own(claims, 'iat') };
  if (typeof exp === 'number' && typeof iat === 'number' && iat > exp)
    checks.push({
      check: 'registered claims',
      about: 'iat',
      outcome: 'failed',
      code: 'token_claims_invalid',
      expected: 'not after exp',
      actual: timeText(iat),
    });
  if (Object.hasOwn(claims, 'cnf'))
    checks.push(
      judge(
        'cnf',
        ['cnf'],
        { acceptSenderConstrained: registered.acceptSenderConstrained },
        'absent: nobody here proves a key',
        'there',
      ),
    );
  const { audience } = registered;
  if (audience === null || (isRemote && !Object.hasOwn(claims, 'aud')))
    checks.push({
      check: 'registered claims',
      about: 'aud',
      outcome: 'out',
      actual: textOf(own(claims, 'aud')),
      detail: 'the audience is not checked',
    });
  else
    checks.push(
      judge(
        'aud',
        ['aud'],
        { audience, audienceMatch: registered.audienceMatch },
        `${registered.audienceMatch === 'all' ? 'all' : 'one'} of ${textOf([...audience])}`,
      ),
    );
  const isTime = ({ about }: ExplainedCheck) => !wrong.some((time) => time.about === about);
  return [...wrong, ...checks.filter(isTime)];
}

/** Explains who may be the system. @param isSystem the token is from a source that may say so */
export function explainSystem(
  claims: JsonObject,
  isSystem: boolean,
  { systemSubject }: Pick<Settings, 'systemSubject'>,
): readonly ExplainedCheck[] {
  if (systemSubject === undefined || own(claims, 'sub') !== systemSubject) return [];
  return [
    attempt(
      { check: 'claims', about: 'sub', expected: 'the system, of a keyset that is the system’s' },
      () => {
        if (!isSystem)
          throw new AuthError('token_claims_invalid', { detail: 'the keyset is not the system’s' });
      },
    ),
  ];
}

/** Explains whether an issuer is welcome that an endpoint has accepted: of signed tokens it is asked before the keys. */
export function explainIssuer(
  claims: JsonObject,
  { issuers }: Pick<Settings, 'issuers'>,
): readonly ExplainedCheck[] {
  const issuer = own(claims, 'iss');
  const about = { check: 'issuer', about: 'iss', actual: textOf(issuer) } as const;
  return [
    attempt({ ...about, expected: issuers === undefined ? 'a text, if there' : 'one of issuers' }, () => {
      const isName = issuer === undefined || typeof issuer === 'string';
      if (!isName || issuers?.(issuer) === false) throw new AuthError('token_issuer_untrusted');
    }),
  ];
}

/** What rules are judged by. */
export interface RuleContext {
  readonly delimiter: string | undefined;
  readonly request: RequestParameters | undefined;
}

/** Explains rules, each by itself. */
export function explainRules(
  check: 'claims' | 'route',
  rules: CompiledRules<unknown>,
  claims: JsonObject,
  { delimiter, request }: RuleContext,
): readonly ExplainedCheck[] {
  return checksIn(rules).map(({ claim, path, rule, holds, isScope, needsRequest }): ExplainedCheck => {
    const value = claimAt(claims, path(delimiter));
    const about = {
      check,
      about: claim === '' ? 'all claims' : claim,
      expected: ruleText(rule),
      actual: textOf(value),
    };
    if (needsRequest && request === undefined)
      return { ...about, outcome: 'unknown', detail: 'compares with the request, and there is none' };
    if (holds(value, request)) return { ...about, outcome: 'passed' };
    const code =
      check === 'claims' ? 'token_claims_invalid' : isScope ? 'scope_insufficient' : 'claims_insufficient';
    return { ...about, outcome: 'failed', code };
  });
}

function pick(claims: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(claims).filter(([name]) => names.includes(name)));
}
