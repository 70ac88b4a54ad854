// Options of remote validation: their types, the checked settings, and the table that reads them.
import { ConfigError } from '../errors.ts';
import { allowHttp, checkEndpointUrl, timeout, url } from '../net/options.ts';
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
  /** Https, or http to loopback. Gets every token: one that you own. */
  readonly url: string;
  /**
   * What becomes of a token that the endpoint refuses: `deny`, a 401; `next`, the keysets are
   * asked, and a token that was revoked there still passes here by its key (warns). Needed where
   * there are keysets.
   */
  readonly onReject?: 'next' | 'deny';
  /**
   * What becomes of a token that the endpoint says nothing of, since it is down, slow or odd:
   * `deny`, a 503; `next`, the keysets are asked, but for a token that the endpoint refused before
   * in this process. Needed where there are keysets.
   */
  readonly onError?: 'next' | 'deny';
  /** For a whole call. Default 2s. */
  readonly timeout?: Duration;
  /**
   * How long a good answer is used again, and never past the token's end. Default 0s: each token is
   * asked about each time.
   */
  readonly cacheFor?: Duration;
  /**
   * Whom the endpoint speaks for: an answer with another `iss` is no answer. Default: the answer
   * says.
   */
  readonly issuer?: string;
  /**
   * It may speak for the `systemSubject`, and say reserved groups. Default false: only a keyset's
   * key makes somebody the system.
   */
  readonly system?: boolean;
  /**
   * The endpoint vouches for tokens of other APIs and issuers too (warns): the `aud` and `iss` of a
   * token that is a JWT are not looked at. Default false: where the token has them, they are judged
   * as well as those of the answer.
   */
  readonly unsafeIgnoreTokenClaims?: boolean;
  /** Permits plain HTTP to other machines: tokens in clear on the wire. Default false. */
  readonly allowHttp?: boolean;
  readonly tls?: TlsOptions;
}

/**
 * POST with the token as bearer; a 200 with a JSON object that has a string `sub` accepts it, and
 * its members are the claims.
 */
export interface SubjectRemoteOptions extends RemoteCommon {
  readonly contract?: 'subject';
  readonly client?: never;
}

/** Token introspection (RFC 7662): `active: true` accepts it, `active: false` refuses it. */
export interface IntrospectionRemoteOptions extends RemoteCommon {
  readonly contract: 'introspection';
  /**
   * Who asks (RFC 7662 §2.1), by HTTP Basic. The secret is an entry of the authenticator's
   * `secrets`.
   */
  readonly client: { readonly id: string; readonly secret: { readonly name: string; readonly key: string } };
}

/** An endpoint that validates tokens: alone, or before the keysets. */
export type RemoteOptions = SubjectRemoteOptions | IntrospectionRemoteOptions;

/** Remote validation, checked. */
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
  readonly tls: TlsSettings;
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
      'Where tokens are sent to. Https, or http to this machine.',
      replacedBy('tokens are sent elsewhere'),
    ),
    contract: defaulted(
      choice('subject', 'introspection'),
      'subject',
      'subject: a 200 with a sub accepts the token. introspection: RFC 7662, and client says who asks.',
      replaced('the endpoint is asked in another way'),
    ),
    client: optional(client, 'Who asks, at an introspection endpoint.', replaced('another client asks')),
    onReject: optional(
      choice('next', 'deny'),
      'A token that the endpoint refuses: deny refuses it, next asks the keysets.',
      ranked(['deny', 'next'], 'a token that the endpoint refuses'),
    ),
    onError: optional(
      choice('next', 'deny'),
      'A token that the endpoint does not answer for: deny answers 503, next asks the keysets.',
      ranked(['deny', 'next'], 'a token that the endpoint says nothing of'),
    ),
    timeout: timeout('For one whole call.', 'the endpoint has another time to answer'),
    cacheFor: defaulted(
      duration,
      '0s',
      'How long a positive answer of the endpoint is used again.',
      lasting('opens', 'a yes counts for'),
    ),
    issuer: optional(text, 'The only iss that the endpoint may answer with.', (before, after) =>
      before !== undefined && after !== undefined
        ? replacedBy('issuer of the endpoint')(before, after)
        : [
            after === undefined
              ? verdict('opens', 'any issuer of the endpoint will do', after)
              : verdict('closes', `only one issuer of the endpoint will do: ${nameOf(after)}`, after),
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
      'Whether aud and iss of the token itself are ignored, so that the endpoint vouches for tokens of other APIs.',
      flag('opens', 'the endpoint vouches for tokens of other APIs'),
    ),
    allowHttp,
    tls,
  } satisfies TableOf<RemoteOptions>,
  {
    if: { properties: { contract: { const: 'introspection' } }, required: ['contract'] },
    then: { required: ['client'] },
    else: { properties: { client: false } },
  },
);

/**
 * Checks remote options.
 * @param alone there is no keyset that could be asked next
 * @throws ConfigError
 */
export function readRemote(value: unknown, alone: boolean): RemoteSettings | undefined {
  return value === undefined ? undefined : completeRemote(remoteOptions.read(value, 'remote'), alone);
}

/** Checks how options belong together that have been read one by one. @throws ConfigError */
export function completeRemote(
  { contract, ...read }: ReadBy<typeof remoteOptions.table>,
  alone: boolean,
): RemoteSettings {
  if ((contract === 'introspection') !== (read.client !== undefined))
    throw new ConfigError('remote.client', "stands beside contract: 'introspection', and nowhere else");
  return Object.freeze<RemoteSettings>({
    url: checkEndpointUrl(read.url, read.allowHttp, 'remote.url'),
    client: read.client,
    onReject: nextOf(read.onReject, alone, 'remote.onReject'),
    onError: nextOf(read.onError, alone, 'remote.onError'),
    timeoutMs: read.timeout,
    cacheForMs: read.cacheFor,
    issuer: read.issuer,
    isSystem: read.system,
    ignoresToken: read.unsafeIgnoreTokenClaims,
    tls: read.tls,
  });
}

function nextOf(choice: 'next' | 'deny' | undefined, alone: boolean, path: string): 'next' | 'deny' {
  if (alone && choice === 'next') throw new ConfigError(path, 'there is no keyset to be asked next');
  if (!alone && choice === undefined)
    throw new ConfigError(path, "is needed where there are keysets: 'deny', or 'next' to ask them");
  return choice ?? 'deny';
}
