// `profile: 'fapi2'`: what the FAPI 2.0 Security Profile requires of resource servers (§5.3.4,
// §5.4). A check of the options as they are written, and defaults for those that say nothing.
// Decides about no request.
import { ConfigError } from '../errors.ts';
import type { AlgorithmName } from '../token/algorithms.ts';
import { parseDuration } from '../values/duration.ts';
import { isPlainObject, ownMembers, type UncheckedOptions } from '../values/readers.ts';

/** §5.4.1. Both names of Ed25519. */
const FAPI2_ALGORITHMS: readonly AlgorithmName[] = ['PS256', 'ES256', 'EdDSA', 'Ed25519'];

/** Clocks of others may differ by this much at least. */
const CLOCK_SKEW = '10s';

/** True for options with the profile. */
export function isFapi2(options: unknown): options is UncheckedOptions {
  return isPlainObject(options) && ownMembers(options).profile === 'fapi2';
}

/**
 * Completes options with the profile. All other checks come later.
 * @throws ConfigError for an option that contradicts the profile
 */
export function completeFapi2(options: UncheckedOptions): UncheckedOptions {
  const written = ownMembers(options);
  refuseWeak(written, '');
  refuse(written.mode !== undefined && written.mode !== 'strict', 'mode', 'write strict, or remove it');
  refuse(written.requireExp === false, 'requireExp', 'remove it');
  refuse(written.allowFutureIat === true, 'allowFutureIat', 'remove it');
  refuse(written.keys !== undefined, 'keys', 'move the keys to keySets');
  refuse(written.senderConstrained === 'allowed', 'senderConstrained', 'write required, or remove it');
  for (const [index, place] of listIn(written.tokenFrom).entries()) {
    const { header, scheme = 'Bearer' } = membersOf(place);
    const isAuthorization = String(header).toLowerCase() === 'authorization' && scheme === 'Bearer';
    refuse(!isAuthorization, `tokenFrom[${index}]`, 'tokens come in the header Authorization only');
  }
  const { dpop, keySets } = written;
  return {
    ...written,
    senderConstrained: 'required',
    ...skewOf(written, 'clockSkew'),
    ...(isPlainObject(dpop) ? { dpop: completeDpop(ownMembers(dpop)) } : {}),
    ...(Array.isArray(keySets)
      ? { keySets: keySets.map((one, index) => completeFapi2Keyset(one, `keySets[${index}]`)) }
      : {}),
  };
}

/** Narrows the algorithms of a keyset. @throws ConfigError for one that is not in the profile */
export function completeFapi2Keyset(keyset: unknown, path: string): unknown {
  if (!isPlainObject(keyset)) return keyset;
  const written = ownMembers(keyset);
  refuseWeak(written, path);
  return { ...written, ...algorithmsOf(written, 'allowedAlgorithms', `${path}.allowedAlgorithms`) };
}

function completeDpop(written: UncheckedOptions): UncheckedOptions {
  return {
    ...written,
    ...algorithmsOf(written, 'algorithms', 'dpop.algorithms'),
    ...skewOf(written, 'dpop.clockSkew'),
  };
}

/** The default of an option that lists algorithms. One that is undefined is refused later. */
function algorithmsOf(written: UncheckedOptions, name: string, path: string): UncheckedOptions {
  if (!Object.hasOwn(written, name)) return { [name]: FAPI2_ALGORITHMS };
  const names: readonly unknown[] = FAPI2_ALGORITHMS;
  const areGood = listIn(written[name]).every((one) => names.includes(one));
  refuse(!areGood, path, `write only ${FAPI2_ALGORITHMS.join(', ')}, or remove it`);
  return {};
}

/** The default of `clockSkew`. One that is undefined is refused later. */
function skewOf(written: UncheckedOptions, path: string): UncheckedOptions {
  const { clockSkew } = written;
  if (!Object.hasOwn(written, 'clockSkew')) return { clockSkew: CLOCK_SKEW };
  const isShort = clockSkew !== undefined && parseDuration(clockSkew, path) < parseDuration(CLOCK_SKEW, path);
  refuse(isShort, path, 'write 10s to 60s, or remove it, which is 10s');
  return {};
}

/** Refuses what weakens a service, in all parts of the options. */
function refuseWeak(value: unknown, path: string): void {
  if (Array.isArray(value)) {
    for (const [index, one] of value.entries()) refuseWeak(one, `${path}[${index}]`);
    return;
  }
  for (const [name, one] of Object.entries(membersOf(value))) {
    const at = path === '' ? name : `${path}.${name}`;
    const isWeak =
      (/^unsafe[A-Z]/.test(name) && one !== false && one !== undefined) ||
      (name === 'allowHttp' && one === true) ||
      (name === 'audience' && one === null) ||
      (at === 'remote.onReject' && one === 'next');
    refuse(isWeak, at, 'remove it');
    // Names of claims are not names of options.
    if (name !== 'claims') refuseWeak(one, at);
  }
}

function refuse(isWrong: boolean, path: string, fix: string): void {
  if (isWrong) throw new ConfigError(path, `is not allowed with profile fapi2; ${fix}`);
}

function membersOf(value: unknown): UncheckedOptions {
  return isPlainObject(value) ? ownMembers(value) : {};
}

function listIn(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : value === undefined ? [] : [value];
}
