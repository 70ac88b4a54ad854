// Options of remote validation: their types, the checked settings, and the table that reads them.
// The calls are in endpoint.ts.
import { ConfigError } from '../errors.ts';
import type { ProxyChoice } from '../net/connections.ts';
import { allowHttp, checkEndpointUrl, proxy, timeout, url } from '../net/options.ts';
import { type TlsOptions, type TlsSettings, tls } from '../net/tls.ts';
import { key, name } from '../secrets/options.ts';
import type { SecretReference } from '../secrets/store.ts';
import type { Duration } from '../values/duration.ts';
import { flag, lasting, nameOf, ranked, replaced, replacedBy, verdict } from '../values/judge.ts';
import {
  boolean,
  choice,
  defaulted,
  duration,
  needed,
  object,
  optional,
  type ReadBy,
  type TableOf,
  text,
} from '../values/option.ts';

interface RemoteCommon {
  /** Https, or http to loopback. This endpoint gets every token, so it must be your own. */
  readonly url: string;
  /**
   * What happens to a token that the endpoint refuses. `deny`: a 401. `next`: the keysets verify
   * it, so a token that was revoked there is still accepted by its key here (warns). Required if
   * there are keysets.
   */
  readonly onReject?: 'next' | 'deny';
  /**
   * What happens to a token if the endpoint is down, slow or gives an invalid answer. `deny`: a
   * 503. `next`: the keysets verify it, unless the endpoint refused this token before in this
   * process. Required if there are keysets.
   */
  readonly onError?: 'next' | 'deny';
  /** Limit for one whole call. Default 2s. */
  readonly timeout?: Duration;
  /**
   * How long a positive answer is cached, never past the end of the token. Default 0s: each request
   * calls the endpoint.
   */
  readonly cacheFor?: Duration;
  /**
   * The expected `iss` of the answers: an answer with another `iss` is a failure. Default: any
   * `iss`.
   */
  readonly issuer?: string;
  /**
   * The endpoint may accept tokens of the `systemSubject` and with reserved groups. Default false:
   * only a keyset can vouch for the system.
   */
  readonly system?: boolean;
  /**
   * The endpoint also vouches for tokens of other APIs and issuers (warns): the `aud` and `iss` in
   * the token itself are ignored. Default false: if the token is a JWT with these claims, they are
   * checked in addition to those of the answer.
   */
  readonly unsafeIgnoreTokenClaims?: boolean;
  /** Permits plain HTTP to other machines: tokens cross the network unencrypted. Default false. */
  readonly allowHttp?: boolean;
  readonly tls?: TlsOptions;
  /**
   * The outbound proxy, such as `http://proxy.example.com:3128`; false for none. Default: the one
   * in `HTTPS_PROXY` or `HTTP_PROXY`, except for hosts in `NO_PROXY` and for loopback.
   */
  readonly proxy?: string | false;
}

/**
 * POST with the token as bearer. A 200 with a JSON object that has a string `sub` accepts the
 * token; the members of the object are the claims.
 */
export interface SubjectRemoteOptions extends RemoteCommon {
  readonly contract?: 'subject';
  readonly client?: never;
  readonly unsafeMissingAudience?: never;
}

/**
 * Token introspection (RFC 7662): `active: true` accepts the token, `active: false` refuses it. The
 * members of an answer are then checked like the claims of a token, `aud` and `token_type`
 * included.
 */
export interface IntrospectionRemoteOptions extends RemoteCommon {
  readonly contract: 'introspection';
  /**
   * The client that calls the endpoint (RFC 7662 §2.1), by HTTP Basic. Its secret is an entry of
   * the authenticator's `secrets`.
   */
  readonly client: { readonly id: string; readonly secret: { readonly name: string; readonly key: string } };
  /**
   * Accepts an answer without `aud` for a token that names no audience itself (warns): the endpoint
   * may also know tokens for other APIs, and refresh tokens. Default false: with an `audience`, one
   * of the two must name it. In RFC 7662 §2.2, `aud` is optional, and the service has to check it
   * (§4). Has no effect with `audience: null`.
   * @example { url, contract: 'introspection', client, unsafeMissingAudience: true }
   */
  readonly unsafeMissingAudience?: boolean;
}

/** An endpoint that validates tokens: alone, or before the keysets. */
export type RemoteOptions = SubjectRemoteOptions | IntrospectionRemoteOptions;

/** The options of remote validation, checked. */
export interface RemoteSettings {
  readonly url: URL;
  readonly client: { readonly id: string; readonly secret: SecretReference } | undefined;
  readonly onReject: 'next' | 'deny';
  readonly onError: 'next' | 'deny';
  readonly timeoutMs: number;
  readonly cacheForMs: number;
  readonly issuer: string | undefined;
  readonly isSystem: boolean;
  readonly ignoresToken: boolean;
  readonly acceptsMissingAudience: boolean;
  readonly tls: TlsSettings;
  readonly proxy: ProxyChoice;
}

const client = object({
  id: needed(text, 'The id of the client.'),
  secret: needed(object({ name, key }), 'Which secret, and which entry of it.'),
});

/** The options of `remote`. */
export const remoteOptions = object(
  {
    url: needed(
      url,
      'The URL that tokens are sent to. Https, or http to this machine.',
      replacedBy('tokens are sent elsewhere'),
    ),
    contract: defaulted(
      choice('subject', 'introspection'),
      'subject',
      'subject: a 200 with a sub accepts the token. introspection: RFC 7662, with client.',
      replaced('the endpoint is called in another way'),
    ),
    client: optional(
      client,
      'The client that calls an introspection endpoint.',
      replaced('another client calls the endpoint'),
    ),
    onReject: optional(
      choice('next', 'deny'),
      'A token that the endpoint refuses: deny refuses it, next verifies it by the keysets.',
      ranked(['deny', 'next'], 'a token that the endpoint refuses'),
    ),
    onError: optional(
      choice('next', 'deny'),
      'A token without an answer of the endpoint: deny answers 503, next verifies it by the keysets.',
      ranked(['deny', 'next'], 'a token without an answer of the endpoint'),
    ),
    timeout: timeout('Limit for one whole call.', 'calls of the endpoint have another time limit'),
    cacheFor: defaulted(
      duration,
      '0s',
      'How long a positive answer of the endpoint is cached.',
      lasting('opens', 'a positive answer is cached for'),
    ),
    issuer: optional(text, 'The only iss that the endpoint may answer with.', (before, after) =>
      before !== undefined && after !== undefined
        ? replacedBy('issuer of the endpoint')(before, after)
        : [
            after === undefined
              ? verdict('opens', 'any issuer of the endpoint is accepted', after)
              : verdict('closes', `only one issuer of the endpoint is accepted: ${nameOf(after)}`, after),
          ],
    ),
    system: defaulted(
      boolean,
      false,
      'Whether the endpoint may vouch for systemSubject and for reserved groups.',
      flag('opens', 'the endpoint speaks for the system'),
    ),
    unsafeIgnoreTokenClaims: defaulted(
      boolean,
      false,
      'Whether aud and iss in the token itself are ignored, so that the endpoint vouches for tokens of other APIs.',
      flag('opens', 'the endpoint vouches for tokens of other APIs'),
    ),
    unsafeMissingAudience: defaulted(
      boolean,
      false,
      'Whether an answer of introspection without aud is accepted for a token that names no audience itself.',
      flag('opens', 'the endpoint vouches for tokens without an audience'),
    ),
    allowHttp,
    tls,
    proxy,
  } satisfies TableOf<RemoteOptions>,
  {
    if: { properties: { contract: { const: 'introspection' } }, required: ['contract'] },
    then: { required: ['client'] },
    else: { properties: { client: false, unsafeMissingAudience: { const: false } } },
  },
);

/**
 * Checks remote options.
 * @param alone there are no keysets that could verify a token instead
 * @throws ConfigError
 */
export function readRemote(value: unknown, alone: boolean): RemoteSettings | undefined {
  return value === undefined ? undefined : completeRemote(remoteOptions.read(value, 'remote'), alone);
}

/** Checks that options which were read one by one fit together. @throws ConfigError */
export function completeRemote(
  { contract, ...read }: ReadBy<typeof remoteOptions.table>,
  alone: boolean,
): RemoteSettings {
  if ((contract === 'introspection') !== (read.client !== undefined))
    throw new ConfigError(
      'remote.client',
      "expected only with contract: 'introspection', and required there",
    );
  if (contract === 'subject' && read.unsafeMissingAudience)
    throw new ConfigError(
      'remote.unsafeMissingAudience',
      "expected only with contract: 'introspection'; remove it",
    );
  return Object.freeze<RemoteSettings>({
    url: checkEndpointUrl(read.url, read, 'remote.url'),
    client: read.client,
    onReject: nextOf(read.onReject, alone, 'remote.onReject'),
    onError: nextOf(read.onError, alone, 'remote.onError'),
    timeoutMs: read.timeout,
    cacheForMs: read.cacheFor,
    issuer: read.issuer,
    isSystem: read.system,
    ignoresToken: read.unsafeIgnoreTokenClaims,
    acceptsMissingAudience: read.unsafeMissingAudience,
    tls: read.tls,
    proxy: read.proxy,
  });
}

function nextOf(choice: 'next' | 'deny' | undefined, alone: boolean, path: string): 'next' | 'deny' {
  if (alone && choice === 'next')
    throw new ConfigError(path, 'expected deny: there are no keysets that could verify next');
  if (!alone && choice === undefined)
    throw new ConfigError(path, "is required next to keysets: 'deny', or 'next' to verify by the keysets");
  return choice ?? 'deny';
}
