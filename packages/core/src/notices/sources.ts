// Which keysets a receiver judges by: those of its authenticator, or of each that is combined in
// it, and its own. Says whose tokens an accepted event may end.
import type { Authenticator } from '../decision/authenticator.ts';
import { type CombinedAuthenticator, isAuthenticator } from '../decision/combine.ts';
import { type NoticeParts, partsOf } from '../decision/notice-parts.ts';
import { AuthError, ConfigError } from '../errors.ts';
import { createKeysets } from '../keysets/create.ts';
import type { KeysetSettings } from '../keysets/options.ts';
import { checkCopy } from '../values/copies.ts';
import type { JsonObject } from '../values/json.ts';
import { kindOf } from '../values/kind.ts';
import { createNoticeJudge, type NoticeJudge } from './judge.ts';
import type { EventReceiverSettings } from './options.ts';
import { eventPolicy, logoutPolicy } from './policy.ts';

/** The kinds of tokens. */
export type NoticeKind = 'logout' | 'event';

type Revoke = NonNullable<NoticeParts['revoke']>;

/** A token that was accepted. */
interface AcceptedNotice {
  readonly claims: JsonObject;
  /** What ends the tokens of those who have accepted it. */
  readonly revokers: readonly Revoke[];
}

/** The sources of keys. */
export interface Sources {
  /** Parts of the authenticator, for what does not change. */
  readonly first: NoticeParts;
  maxTokenBytes(): number;
  /** @throws AuthError */
  judge(kind: NoticeKind, token: string): Promise<AcceptedNotice>;
  close(): Promise<void>;
}

/** Makes the sources. @throws ConfigError */
export function createSources(
  authenticator: Authenticator | CombinedAuthenticator,
  settings: EventReceiverSettings,
): Sources {
  if (!isAuthenticator(authenticator)) throw notOfHere(kindOf(authenticator));
  checkCopy(authenticator, 'authenticator');
  const partsNow = () => partsOf(authenticator) ?? [];
  const [first, ...others] = partsNow();
  if (first === undefined) throw notOfHere('one that the application has written');
  if (settings.onEvent === undefined && [first, ...others].some(({ revoke }) => revoke === undefined))
    throw new ConfigError(
      'revocation',
      'is needed in the options of the authenticator, so that events can end tokens; add revocation: {}, or give onEvent',
    );
  const transmitters = transmittersOf(settings.keysets, first);
  const judges = new WeakMap<NoticeParts, Map<NoticeKind, NoticeJudge>>();

  function judgeOf(parts: NoticeParts, kind: NoticeKind): NoticeJudge {
    const made = judges.get(parts) ?? new Map<NoticeKind, NoticeJudge>();
    judges.set(parts, made);
    const judge = made.get(kind) ?? createNoticeJudge(parts, policyFor(kind, parts));
    made.set(kind, judge);
    return judge;
  }

  function policyFor(kind: NoticeKind, { settings: { policy } }: NoticeParts) {
    const { clockSkewMs } = policy.registered;
    const { logout, securityEvents } = settings;
    if (kind === 'logout' && logout !== undefined) return logoutPolicy(logout, clockSkewMs);
    if (kind === 'event' && securityEvents !== undefined) return eventPolicy(securityEvents, clockSkewMs);
    throw new TypeError(`the receiver accepts no ${kind}`);
  }

  return {
    first,
    maxTokenBytes: () => Math.max(...partsNow().map((parts) => parts.settings.maxTokenBytes)),
    async judge(kind, token) {
      const parts = partsNow();
      const asked = transmitters === undefined ? parts : [...parts, transmitters.parts];
      const judged = await Promise.all(
        asked.map(async (one) => ({ one, ...(await judgeOf(one, kind)(token)) })),
      );
      const refusals = judged.flatMap(({ refusal }) => refusal ?? []);
      const isUndecided = refusals.find(({ status }) => status === 503);
      // If one of several cannot decide, its tokens would stay.
      if (isUndecided !== undefined) throw isUndecided;
      const accepted = judged.flatMap((one) => (one.refusal === undefined ? [one] : []));
      const [notice] = accepted;
      if (notice === undefined)
        throw (
          refusals.find(({ code }) => code !== 'token_issuer_untrusted') ??
          refusals[0] ??
          new AuthError('token_rejected')
        );
      const isOwn = accepted.some(({ one }) => one === transmitters?.parts);
      const ending = isOwn ? parts : accepted.map(({ one }) => one);
      return { claims: notice.claims, revokers: ending.flatMap(({ revoke }) => revoke ?? []) };
    },
    close: async () => transmitters?.close(),
  };
}

/** The keysets of transmitters. @throws ConfigError for options that are about access tokens */
function transmittersOf(keysets: readonly KeysetSettings[], { settings }: NoticeParts) {
  if (keysets.length === 0) return undefined;
  for (const { name, issuer, tokens, isSystem, tenancy } of keysets) {
    if (issuer === undefined)
      throw new ConfigError(`${name}.issuer`, 'is required: it is the iss of the transmitter');
    const option =
      Object.entries(tokens).find(([, value]) => value !== undefined)?.[0] ??
      (isSystem ? 'system' : undefined) ??
      (tenancy === undefined ? undefined : 'issuer');
    if (option !== undefined)
      throw new ConfigError(
        `${name}.${option}`,
        'is for access tokens only, and this keyset verifies none; remove it',
      );
  }
  const { stores, clock } = settings;
  const made = createKeysets({
    keysets,
    keys: [],
    stores,
    missingIssuerReachesAll: false,
    keysetFor: undefined,
    clock,
  });
  const parts: NoticeParts = Object.freeze({
    // The option `issuers` is about access tokens.
    settings: Object.freeze({ ...settings, issuers: undefined }),
    keysets: made.keysets,
    index: made.index,
    policies: new Map(),
    revoke: undefined,
  });
  return {
    parts,
    close: async () => {
      await Promise.all(made.keysets.map((keyset) => keyset.close()));
    },
  };
}

function notOfHere(got: string): ConfigError {
  return new ConfigError(
    'authenticator',
    `expected an authenticator of createAuthenticator, or several combined, got ${got}`,
  );
}
