// Lint rules about proof of possession. How many processes a service has, and which store they
// share, cannot be seen in a descriptor.
import { isLoopback } from '../../net/addresses.ts';
import { listOf } from '../../values/judge.ts';
import type { UncheckedOptions } from '../../values/readers.ts';
import { isLonger, type LintRule, membersOf, spotIf } from './rule.ts';

/** Longer than any request is on its way. */
const LONG_PROOF_MS = 120_000;

/** Larger than the largest private network: 10.0.0.0/8, fc00::/7. */
const WIDE_NETWORK = /^[\d.]+\/[0-7]$|:\S*\/[0-6]$/;

/** The rules about proof of possession, with their paths. */
export const possessionRules: readonly LintRule[] = [
  {
    id: 'dpop-local-url',
    severity: 'warning',
    message: 'proofs are accepted for a URL of this machine, which no other client uses',
    fix: 'write the https URL of the service as clients write it; for development, use a variable',
    find: (jwt) => {
      const urls = listOf(dpopIn(jwt).publicUrl);
      return spotIf(isOn(jwt) && urls.length > 0 && urls.some(isLocal), 'dpop.publicUrl');
    },
  },
  {
    id: 'dpop-long-proofs',
    severity: 'warning',
    message:
      'a proof that somebody has seen can be used for more than 2m in every process that has not seen it',
    fix: 'write 60s, which is the default; if clocks of clients are wrong, require nonces',
    find: (jwt) => spotIf(isOn(jwt) && isLonger(dpopIn(jwt).maxAge, LONG_PROOF_MS), 'dpop.maxAge'),
  },
  {
    id: 'dpop-nonce-per-process',
    severity: 'warning',
    message: 'each process makes nonces of its own, and refuses those of another process',
    fix: 'with several processes, add secret: ${DPOP_NONCE_SECRET} to nonce',
    find: (jwt) => {
      const { nonce } = dpopIn(jwt);
      return spotIf(isOn(jwt) && nonce !== undefined && membersOf(nonce).secret === undefined, 'dpop.nonce');
    },
  },
  {
    id: 'dpop-unsafe-replay',
    severity: 'warning',
    message: 'a proof can be used again while the store of used proofs fails, or the memory is full',
    fix: 'remove it: such requests are then answered with 503',
    find: (jwt) =>
      spotIf(isOn(jwt) && dpopIn(jwt).unsafeReplayFailure === 'accept', 'dpop.unsafeReplayFailure'),
  },
  {
    id: 'bound-twice',
    severity: 'warning',
    message: 'every token must be bound to a key and to a certificate, which few clients can do',
    fix: 'if one of both is enough, write senderConstrained: required, and mode: allowed in dpop and in mutualTls',
    find: (jwt) =>
      spotIf(
        dpopIn(jwt).mode === 'required' && membersOf(jwt.mutualTls).mode === 'required',
        'mutualTls.mode',
      ),
  },
  {
    id: 'mutual-tls-wide-peers',
    severity: 'warning',
    message: 'many machines, not only proxies, can say which certificate a client has',
    fix: 'write the addresses of the proxies, or their network',
    find: (jwt) =>
      spotIf(
        listOf(membersOf(jwt.mutualTls).trustedPeers).some((one) => WIDE_NETWORK.test(String(one))),
        'mutualTls.trustedPeers',
      ),
  },
];

function dpopIn(jwt: UncheckedOptions): UncheckedOptions {
  return membersOf(jwt.dpop);
}

function isOn(jwt: UncheckedOptions): boolean {
  return jwt.dpop !== undefined && dpopIn(jwt).mode !== 'off';
}

function isLocal(url: unknown): boolean {
  return typeof url === 'string' && URL.canParse(url) && isLoopback(new URL(url).hostname);
}
