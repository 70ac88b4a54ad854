// What the options of a service mean for attacks: which tokens it must refuse, and where it reads
// them. The options themselves are checked by the authenticator, not here.
import type { AuthenticatorOptions, Carrier, Duration, KeysetOptions } from '@latchkey/core';
import { ConfigError, type JsonObject } from '@latchkey/core';
import { durationFrom } from '@latchkey/core/adapter';
import type { CheckedAttack } from './options.ts';

/** How good tokens are bound to their sender. */
export type Binding = 'dpop' | 'certificate' | undefined;

/** What attacks know of the options. */
export interface Configuration {
  readonly carriers: readonly Carrier[];
  /** The accepted audiences of the issuer. Undefined: `aud` is not checked. */
  readonly audiences: readonly string[] | undefined;
  /** Only this issuer makes tokens with these keys. Undefined: the options let others do so too. */
  readonly issuer: string | undefined;
  /** The options refuse a token without `iss`. */
  readonly needsIssuer: boolean;
  /** The accepted types, without `application/`, in lower case. Undefined: the usual ones. */
  readonly types: readonly string[] | undefined;
  readonly needsExp: boolean;
  readonly judgesFutureIat: boolean;
  readonly needsIat: boolean;
  /** Seconds. */
  readonly skew: number;
  readonly maxTokenAge: number | undefined;
  readonly maxLifetime: number | undefined;
  readonly maxTokenBytes: number;
  readonly allowsOtherHashes: boolean;
  readonly binding: Binding;
  /** Tokens that are bound to a key are accepted without a proof. */
  readonly ignoresBinding: boolean;
  /** The service judges proofs of DPoP. */
  readonly judgesProofs: boolean;
  /** Tokens must be bound. */
  readonly needsBinding: boolean;
  /** The URL that proofs are for, before the path of the request. */
  readonly publicUrl: string | undefined;
  /** Seconds since 1970. */
  now(): number;
}

const DEFAULT_TOKEN_BYTES = 16_384;
const seconds = durationFrom('0s', '36500d');

/**
 * Reads what attacks need.
 * @param claims those of a good token
 * @throws ConfigError
 */
export function configurationOf({ options, certificate }: CheckedAttack, claims: JsonObject): Configuration {
  const { clock, dpop, mutualTls, senderConstrained, profile } = options;
  const keyset = keysetOf(options, claims.iss);
  const { issuer } = keyset ?? {};
  const isNamed = issuer !== undefined && issuer === claims.iss;
  const isOther = ({ issuer: other }: KeysetOptions) => other === undefined;
  const isOpen = (options.keySets ?? []).some(isOther) || options.keysetFor !== undefined;
  const judgesProofs = dpop !== undefined && dpop.mode !== 'off';
  const judgesCertificates = mutualTls !== undefined && mutualTls.mode !== 'off';
  const needsBinding =
    dpop?.mode === 'required' ||
    mutualTls?.mode === 'required' ||
    senderConstrained === 'required' ||
    profile === 'fapi2';
  const isCertified = judgesCertificates && certificate !== undefined && dpop?.mode !== 'required';
  const maxTokenAge = keyset?.maxTokenAge ?? options.maxTokenAge;
  const treatsIat = options.treatIatAsNbf === true;
  return {
    carriers: options.tokenFrom ?? [{ header: 'Authorization' }],
    audiences: audiencesOf(options, keyset),
    issuer: isNamed && !isOpen ? issuer : undefined,
    needsIssuer: !isOpen && options.unsafeMissingIssuer === undefined && options.keys === undefined,
    types: typesOf(options, keyset),
    needsExp: options.requireExp !== false,
    judgesFutureIat: options.allowFutureIat !== true,
    needsIat: treatsIat || maxTokenAge !== undefined,
    skew: secondsOf(options.clockSkew ?? '5s', 'options.clockSkew') ?? 0,
    maxTokenAge: secondsOf(maxTokenAge, 'options.maxTokenAge'),
    maxLifetime: secondsOf(keyset?.maxLifetime ?? options.maxLifetime, 'options.maxLifetime'),
    maxTokenBytes: options.maxTokenBytes ?? DEFAULT_TOKEN_BYTES,
    allowsOtherHashes: keyset?.unsafeAlgorithmMatch !== undefined || keyset?.allowedAlgorithms !== undefined,
    binding: !needsBinding ? undefined : isCertified || !judgesProofs ? 'certificate' : 'dpop',
    ignoresBinding: options.unsafeAcceptSenderConstrained === true,
    judgesProofs,
    needsBinding,
    publicUrl: [dpop?.publicUrl].flat()[0],
    now: () => Math.floor((clock ?? Date).now() / 1000),
  };
}

/** The keyset that names the issuer, or else one that may verify its tokens. */
function keysetOf({ keySets = [] }: AuthenticatorOptions, iss: unknown): KeysetOptions | undefined {
  return keySets.find(({ issuer }) => issuer === iss) ?? keySets.find(({ issuer }) => issuer === undefined);
}

function audiencesOf(
  options: AuthenticatorOptions,
  keyset: KeysetOptions | undefined,
): readonly string[] | undefined {
  const said = keyset?.audience !== undefined ? keyset.audience : options.audience;
  const audience = said === undefined ? options.resource?.url : said;
  return audience === undefined || audience === null ? undefined : [audience].flat();
}

function typesOf(
  options: AuthenticatorOptions,
  keyset: KeysetOptions | undefined,
): readonly string[] | undefined {
  const profiled = keyset?.profile ?? (keyset?.typ === undefined ? options.profile : undefined);
  const types = profiled === 'at+jwt' ? 'at+jwt' : (keyset?.typ ?? options.typ);
  if (types === undefined) return undefined;
  return [types].flat().map((type) => type.toLowerCase().replace(/^application\//, ''));
}

function secondsOf(length: Duration | undefined, path: string): number | undefined {
  if (length === undefined) return undefined;
  const ms: unknown = seconds.read(length, path);
  if (typeof ms !== 'number') throw new ConfigError(path, 'expected a duration');
  return ms / 1000;
}
