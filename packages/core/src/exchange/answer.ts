// What is checked of the answer of a token endpoint: RFC 6749 §5.1, RFC 8693 §2.2.1. An answer that
// is not what was asked is never used.
import { inconclusive } from '../net/breaker.ts';
import { isBearerToken } from '../remote/endpoint.ts';
import { parseToken, type UnverifiedToken } from '../token/parse.ts';
import { type JsonObject, own } from '../values/json.ts';
import { ACCESS_TOKEN, ID_JAG } from './token-type.ts';

/** What an answer must be. */
export interface Asked {
  /** The URI of the type of token. */
  readonly tokenType: string;
  /** The answer must have `issued_token_type`. Only that of RFC 8693 has it. */
  readonly namesType: boolean;
  /** Tokens that were sent. The answer must be another one. */
  readonly sent: readonly string[];
  /** The scopes that were asked for. */
  readonly scopes: readonly string[];
}

/** A token of an answer. */
export interface Issued {
  readonly token: string;
  readonly tokenType: 'Bearer' | 'N_A';
  readonly issuedTokenType: string;
  /** Seconds; undefined if the server does not say how long the token is valid. */
  readonly lifetimeSeconds: number | undefined;
  readonly scopes: readonly string[];
}

/** Node's own servers refuse longer headers. */
const MAX_TOKEN_BYTES = 16 * 1024;
/** `typ` of an ID-JAG, in lower case. */
const ID_JAG_TYP = 'oauth-id-jag+jwt';

/**
 * Reads an answer.
 * @throws Error that names the member, never its value
 */
export function readAnswer(answer: JsonObject, { tokenType, namesType, sent, scopes }: Asked): Issued {
  const token = own(answer, 'access_token');
  if (typeof token !== 'string' || !isBearerToken(token, MAX_TOKEN_BYTES))
    throw inconclusive('answered without a token that can be sent');
  if (sent.includes(token)) throw inconclusive('answered with the token that it was sent');
  const issued = own(answer, 'issued_token_type');
  if (issued === undefined ? namesType : issued !== tokenType)
    throw inconclusive('answered with another issued_token_type than was asked for');
  return {
    token,
    tokenType: typeIn(answer, tokenType),
    issuedTokenType: tokenType,
    lifetimeSeconds: lifetimeIn(answer),
    scopes: scopesIn(answer) ?? scopes,
  };
}

/**
 * RFC 6749 §7.1: a token whose type is not understood must not be used. DPoP is not: the key of its
 * proofs is not here. Only an access token has a type (RFC 8693 §2.2.1).
 */
function typeIn(answer: JsonObject, tokenType: string): Issued['tokenType'] {
  const type = String(own(answer, 'token_type')).toLowerCase();
  if (type === 'bearer' && tokenType !== ID_JAG) return 'Bearer';
  if (type === 'n_a' && tokenType !== ACCESS_TOKEN) return 'N_A';
  throw inconclusive('answered with another token_type than was asked for');
}

function lifetimeIn(answer: JsonObject): number | undefined {
  const value = own(answer, 'expires_in');
  if (value === undefined) return undefined;
  // Some servers write the number as text.
  const seconds = typeof value === 'string' && /^\d{1,12}$/.test(value) ? Number(value) : value;
  if (typeof seconds !== 'number' || !(seconds > 0 && Number.isFinite(seconds)))
    throw inconclusive('answered without a lifetime in expires_in');
  return seconds;
}

function scopesIn(answer: JsonObject): readonly string[] | undefined {
  const value = own(answer, 'scope');
  if (value === undefined) return undefined;
  if (typeof value !== 'string') throw inconclusive('answered with a scope that is not a text');
  return value.split(' ').filter((scope) => scope !== '');
}

/**
 * Checks an ID-JAG before it is sent on: it names the server that it is for, and goes to no other.
 * Its signature is for that server to verify.
 * @throws Error that names the member, never its value
 */
export function checkAssertion(token: string, audience: string | undefined, nowMs: number): void {
  const { header, claims } = parsed(token);
  if (header.typ?.toLowerCase().replace(/^application\//, '') !== ID_JAG_TYP)
    throw inconclusive('answered with an assertion of another typ');
  const aud = own(claims, 'aud');
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (audiences.length !== 1 || audiences[0] !== audience)
    throw inconclusive('answered with an assertion for another audience');
  const exp = own(claims, 'exp');
  if (typeof exp !== 'number' || !(nowMs < exp * 1000))
    throw inconclusive('answered with an assertion that has expired');
}

function parsed(token: string): UnverifiedToken {
  try {
    return parseToken(token, MAX_TOKEN_BYTES);
  } catch {
    throw inconclusive('answered with an assertion that is not a signed JWT');
  }
}
