// Which keysets speak for a token and which do not, which of their keys was tried, and whether one of them has signed it.
import { AuthError } from '../../errors.ts';
import type { VerificationKey } from '../../jwk/import-jwks.ts';
import type { KeySnapshot, Keyset } from '../../keysets/keyset.ts';
import { type KeysetIndex, selectKeys } from '../../keysets/select.ts';
import { type AlgorithmName, findAlgorithm } from '../../token/algorithms.ts';
import type { UnverifiedToken } from '../../token/parse.ts';
import type { Settings } from '../options.ts';
import { attempt, type ExplainedCheck, refusalIn, textOf } from './check.ts';

/** The keysets of an authenticator. */
export interface KeysAsked {
  readonly keysets: readonly Keyset[];
  readonly index: KeysetIndex;
}

/** What the keys say. */
export interface ExplainedKeys {
  /** Whose key has signed the token; undefined where none has. */
  readonly keyset: Keyset | undefined;
  readonly checks: readonly ExplainedCheck[];
}

/** Explains the algorithm, the issuer and the keys of a token. */
export async function explainKeys(
  token: UnverifiedToken,
  { issuers }: Pick<Settings, 'issuers'>,
  { keysets, index }: KeysAsked,
): Promise<ExplainedKeys> {
  const { alg } = token.header;
  const issuer = Object.hasOwn(token.claims, 'iss') ? token.claims.iss : undefined;
  const isName = issuer === undefined || (typeof issuer === 'string' && issuer !== '');
  const candidates = isName ? index.forIssuer(issuer) : [];
  const algorithm = findAlgorithm(alg)?.name;
  const checks = [
    attempt({ check: 'algorithm', about: 'alg', actual: textOf(alg) }, () => {
      if (algorithm === undefined)
        throw new AuthError('token_algorithm_refused', { detail: 'no algorithm of ours' });
    }),
    attempt(
      { check: 'issuer', about: 'iss', actual: textOf(issuer), expected: 'one that a keyset is for' },
      () => {
        if (!isName) throw new AuthError('token_issuer_untrusted', { detail: 'iss is not a string' });
        if (candidates.length === 0)
          throw new AuthError('token_issuer_untrusted', { detail: 'no keyset is for it' });
        if (issuers?.(issuer) === false)
          throw new AuthError('token_issuer_untrusted', { detail: 'it is not one of issuers' });
      },
    ),
  ];
  const every = [...new Set([...keysets, ...candidates])];
  const answers = new Map<Keyset, Answer>();
  // Twice, as for any request: what they have, and where none knows the kid, after another look at the sources.
  for (const look of ['keys', 'refetch'] as const) {
    for (const keyset of every) {
      if (algorithm === undefined || whyOut(keyset, candidates, issuer, algorithm) !== undefined) continue;
      const answer = await askKeyset(keyset, look, token, algorithm);
      answers.set(keyset, answer);
      if (answer.isLast) break;
    }
    const given = [...answers.values()];
    if (given.some(({ isLast, isKnown }) => isLast || isKnown)) break;
  }
  const asked = every.map((keyset): ExplainedCheck => {
    const detail = whyOut(keyset, candidates, issuer, algorithm) ?? 'one before it has decided';
    return answers.get(keyset)?.check ?? { check: 'keys', about: keyset.name, outcome: 'out', detail };
  });
  const found = [...answers].find(([, { check }]) => check.outcome === 'passed')?.[0];
  const isKnown = [...answers.values()].some((answer) => answer.isKnown);
  return {
    keyset: found,
    checks: [...checks, ...(isName && candidates.length > 0 ? [summary(asked, found, isKnown)] : [])],
  };
}

/** What one keyset says. */
interface Answer {
  readonly check: ExplainedCheck;
  /** It knows the token's kid. */
  readonly isKnown: boolean;
  /** No keyset is asked after it. */
  readonly isLast: boolean;
}

/** Why a keyset is not asked; undefined for one that is. */
function whyOut(
  keyset: Keyset,
  candidates: readonly Keyset[],
  issuer: unknown,
  algorithm: AlgorithmName | undefined,
): string | undefined {
  if (!candidates.includes(keyset)) {
    if (keyset.issuer !== undefined) return `is for tokens of ${textOf(keyset.issuer)} alone`;
    return issuer === undefined
      ? 'is not for tokens without iss'
      : 'is for tokens whose iss no other keyset names';
  }
  if (algorithm === undefined) return 'is not asked about such an algorithm';
  if (keyset.allowed === undefined || keyset.allowed.has(algorithm)) return undefined;
  return `its allowedAlgorithms are ${[...keyset.allowed].join(', ')}`;
}

async function askKeyset(
  keyset: Keyset,
  look: 'keys' | 'refetch',
  token: UnverifiedToken,
  algorithm: AlgorithmName,
): Promise<Answer> {
  const { header, signingInput, signature } = token;
  const about = { check: 'keys', about: keyset.name, actual: `kid ${textOf(header.kid)}` } as const;
  let snapshot: KeySnapshot;
  try {
    snapshot = await keyset[look](header);
  } catch (error) {
    return { check: { ...about, ...refusalIn(error) }, isKnown: false, isLast: false };
  }
  const { candidates, known, final } = selectKeys(snapshot, keyset.selection, algorithm, header.kid);
  const checks = candidates.map((key): ExplainedCheck => {
    const verify = key.verifiers.get(algorithm);
    const isGood = verify?.(signingInput, signature) === true;
    const detail =
      verify === undefined ? `is not for ${algorithm}` : isGood ? 'has signed it' : 'has not signed it';
    return { check: 'keys', about: nameOf(key), outcome: isGood ? 'passed' : 'failed', detail };
  });
  const isSigned = checks.some(({ outcome }) => outcome === 'passed');
  const names = snapshot.keys.map(nameOf);
  const expected = `${keyset.report().source}, with ${names.length === 0 ? 'no keys' : names.join(', ')}`;
  const detail = checks.length > 0 ? undefined : known ? `none is for ${algorithm}` : 'has no such key';
  return {
    check: { ...about, expected, outcome: isSigned ? 'passed' : 'failed', detail, checks },
    isKnown: known,
    isLast: isSigned || final === true,
  };
}

/** Never by its thumbprint: that of a symmetric key is a digest of the secret (RFC 7638 §7). */
function nameOf({ kid }: VerificationKey): string {
  return kid === undefined ? 'a key without a kid' : `key ${kid}`;
}

/** What the keysets say together, as the pipeline has it. */
function summary(
  asked: readonly ExplainedCheck[],
  found: Keyset | undefined,
  known: boolean,
): ExplainedCheck {
  const about = {
    check: 'keys',
    about: 'the signature',
    expected: 'that of a key of this issuer',
    checks: asked,
  } as const;
  if (found !== undefined) return { ...about, outcome: 'passed', actual: `signed by ${found.name}` };
  if (asked.every(({ outcome }) => outcome === 'out'))
    return {
      ...about,
      outcome: 'failed',
      code: 'token_algorithm_refused',
      detail: 'no keyset takes its algorithm',
    };
  const tried = asked.some(({ checks = [] }) => checks.length > 0);
  const unavailable = asked.find(({ outcome }) => outcome === 'unknown');
  if (unavailable !== undefined)
    return { ...about, outcome: 'unknown', code: 'keyset_unavailable', detail: unavailable.detail };
  if (tried)
    return { ...about, outcome: 'failed', code: 'token_signature_invalid', detail: 'no key has signed it' };
  return {
    ...about,
    outcome: 'failed',
    code: known ? 'token_algorithm_refused' : 'token_key_unknown',
    detail: known ? 'no key takes its algorithm' : 'no key fits',
  };
}
