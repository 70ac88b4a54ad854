// What is said of a token up to its principal: the endpoint, the form, the keys, the claims, the groups.
import { AuthError } from '../../errors.ts';
import { isBearerToken } from '../../remote/validate.ts';
import { normalizeType, parseToken, type UnverifiedToken } from '../../token/parse.ts';
import type { JsonObject } from '../../values/json.ts';
import type { Settings } from '../options.ts';
import { attempt, type ExplainedCheck, refusalIn, textOf, withoutCodes } from './check.ts';
import { explainIssuer, explainRegistered, explainRules, explainSystem } from './claims.ts';
import type { Decided, Explained } from './decided.ts';
import { explainKeys } from './keys.ts';

/** What is said of a token, up to its principal. */
export interface Judged {
  readonly verified: boolean;
  readonly checks: readonly ExplainedCheck[];
  /** Undefined where none could be read. */
  readonly claims?: JsonObject | undefined;
}

/** Explains a token. @param decided what the pipeline says, for what only that knows */
export async function explainToken(token: string, decided: Decided, pipeline: Explained): Promise<Judged> {
  const { settings } = pipeline;
  const remote = await explainRemote(token, pipeline);
  if (remote.claims !== undefined && !mayNotSay(remote.claims, settings))
    return explainClaims(
      remote.claims,
      remote.checks,
      { ...BY_ENDPOINT, isSystem: settings.remote?.isSystem === true },
      decided,
      settings,
    );
  const { unverified, checks: form } = readForm(token, settings);
  const keys = unverified === undefined ? undefined : await explainKeys(unverified, settings, pipeline.keys);
  const signed = [...form, ...(keys?.checks ?? [])];
  const isUndecided = signed.some(({ outcome }) => outcome === 'unknown');
  const by = {
    isRemote: false,
    isVerified: keys?.keyset !== undefined,
    isSystem: pipeline.systemKeysets.has(keys?.keyset),
  };
  if (remote.claims !== undefined) {
    // An endpoint that may not speak for the system has: only a key makes somebody that.
    const isSystem = keys?.keyset !== undefined && isSystemSubject(unverified?.claims, settings);
    if (!isSystem && !isUndecided)
      return explainClaims(
        remote.claims,
        [...remote.checks, ...withoutCodes(signed), NOT_THE_SYSTEM],
        { ...BY_ENDPOINT, isSystem: true },
        decided,
        settings,
      );
  }
  // Where the endpoint cannot say, nobody can say that a token is bad.
  const isOpen = remote.unavailable !== undefined && keys?.keyset === undefined && !isUndecided;
  const asked = isOpen ? remote.checks.map((check) => ({ ...check, ...remote.unavailable })) : remote.checks;
  const checks = [...asked, ...signed];
  return unverified === undefined
    ? { verified: false, checks }
    : explainClaims(unverified.claims, checks, by, decided, settings);
}

/** Who stands for claims. */
interface Source {
  readonly isRemote: boolean;
  readonly isVerified: boolean;
  readonly isSystem: boolean;
}

const BY_ENDPOINT = { isRemote: true, isVerified: true } as const;
const NOT_THE_SYSTEM: ExplainedCheck = {
  check: 'claims',
  about: 'sub',
  outcome: 'failed',
  code: 'token_claims_invalid',
  detail: 'the subject is the system, and no key of the system’s has signed it',
};

function explainClaims(
  claims: JsonObject,
  before: readonly ExplainedCheck[],
  { isRemote, isVerified, isSystem }: Source,
  decided: Decided,
  settings: Settings,
): Judged {
  const context = { delimiter: settings.delimiter, request: undefined };
  const checks = [
    ...before,
    ...explainRegistered(claims, isRemote, settings),
    ...(isRemote ? explainIssuer(claims, settings) : []),
    ...explainSystem(claims, isSystem, settings),
    ...explainRules('claims', settings.claims, claims, context),
  ];
  return {
    verified: isVerified,
    claims,
    checks: [...checks, ...explainPrincipal(checks, decided, settings)],
  };
}

/** An endpoint has said that somebody is the system, which it may not. */
function mayNotSay(claims: JsonObject, settings: Settings): boolean {
  return settings.remote?.isSystem !== true && isSystemSubject(claims, settings);
}

function isSystemSubject(claims: JsonObject | undefined, { systemSubject }: Settings): boolean {
  if (systemSubject === undefined || claims === undefined) return false;
  return Object.hasOwn(claims, 'sub') && claims.sub === systemSubject;
}

/** What can be read of a token before anybody is believed. */
function readForm(
  token: string,
  { maxTokenBytes, types }: Settings,
): { readonly unverified: UnverifiedToken | undefined; readonly checks: readonly ExplainedCheck[] } {
  const about = { check: 'form', about: 'the token', expected: 'a compact JWS of strict JSON' } as const;
  let unverified: UnverifiedToken;
  try {
    unverified = parseToken(token, maxTokenBytes);
  } catch (error) {
    return { unverified: undefined, checks: [{ ...about, ...refusalIn(error) }] };
  }
  const { typ } = unverified.header;
  const expected = [...types].map((type) => type ?? 'absent').join(' or ');
  const type = attempt({ check: 'type', about: 'typ', expected, actual: textOf(typ) }, () => {
    if (!types.has(typ === undefined ? undefined : normalizeType(typ)))
      throw new AuthError('token_type_refused');
  });
  return { unverified, checks: [{ ...about, outcome: 'passed' }, type] };
}

async function explainRemote(
  token: string,
  { askRemote, settings }: Explained,
): Promise<{
  readonly claims: JsonObject | undefined;
  readonly checks: readonly ExplainedCheck[];
  /** It could not say, and the keysets are asked. */
  readonly unavailable?: Pick<ExplainedCheck, 'outcome' | 'code' | 'detail'>;
}> {
  if (askRemote === undefined || settings.remote === undefined) return { claims: undefined, checks: [] };
  const { onReject, onError, url } = settings.remote;
  const about = { check: 'remote', about: `${url.origin}${url.pathname}` } as const;
  if (!isBearerToken(token, settings.maxTokenBytes))
    return {
      claims: undefined,
      checks: [{ ...about, outcome: 'out', detail: 'is not asked about what is no bearer token' }],
    };
  try {
    const claims = await askRemote(token);
    if (claims !== undefined)
      return { claims, checks: [{ ...about, outcome: 'passed', detail: 'the endpoint accepts it' }] };
    const isLast = onReject === 'deny';
    return {
      claims,
      checks: [
        {
          ...about,
          outcome: isLast ? 'failed' : 'out',
          code: isLast ? 'token_rejected' : undefined,
          detail: 'the endpoint refuses it',
        },
      ],
    };
  } catch (error) {
    const refusal = refusalIn(error);
    if (onError === 'deny') return { claims: undefined, checks: [{ ...about, ...refusal }] };
    const checks = [{ ...about, outcome: 'out', detail: refusal.detail }] as const;
    return { claims: undefined, checks, unavailable: refusal };
  }
}

/** Of claims that hold, what is still to be found, and whether they are what their names say. */
function explainPrincipal(
  before: readonly ExplainedCheck[],
  { principal, code, detail, status }: Decided,
  { groups }: Settings,
): readonly ExplainedCheck[] {
  const order = groups?.order.join(', ');
  const about = { check: 'groups', about: order ?? 'scope and groups' } as const;
  if (principal !== undefined)
    return groups === undefined ? [] : [{ ...about, outcome: 'passed', actual: textOf(principal.groups) }];
  // Nothing before has failed: it is these.
  if (code !== undefined && !before.some((check) => check.code !== undefined))
    return [{ ...about, outcome: status === 503 ? 'unknown' : 'failed', code, detail }];
  return groups === undefined
    ? []
    : [{ ...about, outcome: 'out', detail: 'nobody is asked for the groups of a token that is refused' }];
}
