// Options of remote validation, and their reading.

import { ConfigError } from '../errors.ts';
import { isLoopback } from '../net/addresses.ts';
import { refuseUrl } from '../net/https.ts';
import { readTls, type TlsOptions, type TlsSettings } from '../net/tls.ts';
import { checkSecretName, type SecretReference } from '../secrets/store.ts';
import { type Duration, parseDuration } from '../values/duration.ts';
import { readBoolean, readChoice, readObject, readText, type UncheckedOptions } from '../values/readers.ts';

interface RemoteCommon {
  /** Https, or http to loopback. Gets every token: one that you own. */
  readonly url: string;
  /**
   * What becomes of a token that the endpoint refuses: `deny`, a 401; `next`, the keysets are asked, and a token that was revoked there
   * still passes here by its key (warns). Needed where there are keysets.
   */
  readonly onReject?: 'next' | 'deny' | undefined;
  /**
   * What becomes of a token that the endpoint says nothing of, since it is down, slow or odd: `deny`, a 503; `next`, the keysets are
   * asked. Needed where there are keysets.
   */
  readonly onError?: 'next' | 'deny' | undefined;
  /** For a whole call. Default 2s. */
  readonly timeout?: Duration | undefined;
  /** How long a good answer is used again, and never past the token's end. Default 0s: each token is asked about each time. */
  readonly cacheFor?: Duration | undefined;
  /** Whom the endpoint speaks for: an answer with another `iss` is no answer. Default: the answer says. */
  readonly issuer?: string | undefined;
  /** It may speak for the `systemSubject`, and say reserved groups. Default false: only a keyset's key makes somebody the system. */
  readonly system?: boolean | undefined;
  /** Permits plain HTTP to other machines: tokens in clear on the wire. Default false. */
  readonly allowHttp?: boolean | undefined;
  readonly tls?: TlsOptions | undefined;
}

/** POST with the token as bearer; a 200 with a JSON object that has a string `sub` accepts it, and its members are the claims. */
export interface SubjectRemoteOptions extends RemoteCommon {
  readonly contract?: 'subject' | undefined;
  readonly client?: never;
}

/** Token introspection (RFC 7662): `active: true` accepts it, `active: false` refuses it. */
export interface IntrospectionRemoteOptions extends RemoteCommon {
  readonly contract: 'introspection';
  /** Who asks (RFC 7662 §2.1), by HTTP Basic. The secret is an entry of the authenticator's `secrets`. */
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
  readonly tls: TlsSettings;
}

const NAMES = [
  'url',
  'contract',
  'client',
  'onReject',
  'onError',
  'timeout',
  'cacheFor',
  'issuer',
  'system',
  'allowHttp',
  'tls',
] as const;

/**
 * Checks remote options.
 * @param alone no keyset is there to be asked next
 * @throws ConfigError
 */
export function readRemote(value: unknown, alone: boolean): RemoteSettings | undefined {
  if (value === undefined) return undefined;
  const options = readObject(value, NAMES, 'remote');
  const introspects = readChoice(options.contract, ['subject', 'introspection'], 'remote.contract');
  if ((introspects === 'introspection') !== (options.client !== undefined))
    throw new ConfigError('remote.client', "stands beside contract: 'introspection', and nowhere else");
  return Object.freeze({
    url: readEndpointUrl(options.url, options.allowHttp, 'remote.url'),
    client: options.client === undefined ? undefined : readClient(options.client),
    onReject: readNext(options.onReject, alone, 'remote.onReject'),
    onError: readNext(options.onError, alone, 'remote.onError'),
    timeoutMs: readTimeout(options.timeout, 'remote.timeout'),
    cacheForMs: parseDuration(options.cacheFor === undefined ? '0s' : options.cacheFor, 'remote.cacheFor'),
    issuer: options.issuer === undefined ? undefined : readText(options.issuer, 'remote.issuer'),
    isSystem: readBoolean(options.system, false, 'remote.system'),
    tls: readTls(options.tls, 'remote.tls'),
  });
}

/** The URL of an endpoint: https, or loopback, or what says aloud that it is neither. @throws ConfigError */
export function readEndpointUrl(value: unknown, allowHttp: unknown, path: string): URL {
  const text = readText(value, path);
  if (!URL.canParse(text)) throw new ConfigError(path, 'expected a URL');
  const url = new URL(text);
  const inClear =
    readBoolean(allowHttp, false, `${path.replace(/url$/, '')}allowHttp`) || isLoopback(url.hostname);
  const refusal = refuseUrl(url, inClear);
  if (refusal !== undefined) throw new ConfigError(path, refusal);
  return url;
}

/** How long one call may take. @throws ConfigError */
export function readTimeout(value: unknown, path: string): number {
  const timeoutMs = parseDuration(value === undefined ? '2s' : value, path);
  if (timeoutMs < 1 || timeoutMs > 30_000) throw new ConfigError(path, 'expected 1ms to 30s');
  return timeoutMs;
}

function readNext(value: unknown, alone: boolean, path: string): 'next' | 'deny' {
  const choice = readChoice(value, ['next', 'deny'], path);
  if (alone && choice === 'next') throw new ConfigError(path, 'there is no keyset to be asked next');
  if (!alone && choice === undefined)
    throw new ConfigError(path, "is needed where there are keysets: 'deny', or 'next' to ask them");
  return choice ?? 'deny';
}

function readClient(value: unknown): RemoteSettings['client'] {
  const { id, secret } = readObject(value, ['id', 'secret'], 'remote.client');
  const { name, key }: UncheckedOptions = readObject(secret, ['name', 'key'], 'remote.client.secret');
  const entry = (text: unknown, path: string) => checkSecretName(readText(text, path), path);
  return {
    id: readText(id, 'remote.client.id'),
    secret: {
      name: entry(name, 'remote.client.secret.name'),
      key: entry(key, 'remote.client.secret.key'),
    },
  };
}
