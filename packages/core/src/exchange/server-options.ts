// Options of an authorization server that tokens are asked from. Requests are in server.ts.
import { ConfigError } from '../errors.ts';
import type { ProxyChoice } from '../net/connections.ts';
import { allowHttp, checkEndpointUrl, proxy, timeout, url } from '../net/options.ts';
import { type TlsOptions, type TlsSettings, tls } from '../net/tls.ts';
import type { Duration } from '../values/duration.ts';
import { byName, needed, optional, type ReadBy, type TableOf, text } from '../values/option.ts';
import {
  type ClientAuthentication,
  type ClientAuthenticationSettings,
  clientAuthentication,
} from './client-authentication.ts';

/** An authorization server, and this service as its client. */
export interface AuthorizationServerOptions {
  /**
   * The issuer identifier. Without `tokenEndpoint`, its metadata name the endpoint (RFC 8414), and
   * are read once an hour.
   */
  readonly issuer?: string;
  /** The URL of the token endpoint. Https, or http to loopback. Required without `issuer`. */
  readonly tokenEndpoint?: string;
  /** How this service authenticates at the token endpoint. */
  readonly clientAuthentication: ClientAuthentication;
  /**
   * More form parameters of each request, for servers that need their own, such as
   * `{ requested_token_use: 'on_behalf_of' }` of Microsoft Entra ID. Parameters that the exchange
   * sets are refused.
   */
  readonly parameters?: { readonly [name: string]: string };
  /** Limit for one whole call: 1ms to 30s. Default 2s. */
  readonly timeout?: Duration;
  /** Permits plain HTTP to other machines: tokens cross the network unencrypted. Default false. */
  readonly allowHttp?: boolean;
  readonly tls?: TlsOptions;
  /**
   * The outbound proxy, such as `http://proxy.example.com:3128`; false for none. Default: the one
   * in `HTTPS_PROXY` or `HTTP_PROXY`, except for hosts in `NO_PROXY` and for loopback.
   */
  readonly proxy?: string | false;
}

/** An authorization server, checked. */
export interface ServerSettings {
  /** Its place in the options: empty, or `resourceAuthorizationServer`. */
  readonly path: string;
  readonly issuer: string | undefined;
  /** Undefined: the metadata of the issuer name it. */
  readonly tokenEndpoint: URL | undefined;
  readonly clientAuthentication: ClientAuthenticationSettings;
  readonly parameters: ReadonlyMap<string, string>;
  readonly timeoutMs: number;
  readonly allowHttp: boolean;
  readonly tls: TlsSettings;
  readonly proxy: ProxyChoice;
}

/** The parameters that an exchange sets itself. */
const OWN_PARAMETERS: ReadonlySet<string> = new Set([
  'grant_type',
  'subject_token',
  'subject_token_type',
  'requested_token_type',
  'actor_token',
  'actor_token_type',
  'assertion',
  'audience',
  'resource',
  'scope',
  'client_id',
  'client_secret',
  'client_assertion',
  'client_assertion_type',
]);

/** The options of an authorization server. */
export const SERVER = {
  issuer: optional(text, 'The issuer identifier of the authorization server.'),
  tokenEndpoint: optional(url, 'The URL of the token endpoint.'),
  clientAuthentication: needed(clientAuthentication, 'How this service authenticates.'),
  parameters: optional(byName(text, 'expected an object of form parameters'), 'More form parameters.'),
  timeout: timeout('Limit for one whole call.', 'calls of the endpoint have another time limit'),
  allowHttp,
  tls,
  proxy,
} satisfies TableOf<AuthorizationServerOptions>;

/** Checks that options of an authorization server fit together. @throws ConfigError */
export function readServer(read: ReadBy<typeof SERVER>, path: string): ServerSettings {
  const { issuer, tokenEndpoint, parameters = new Map<string, string>() } = read;
  if (issuer === undefined && tokenEndpoint === undefined)
    throw new ConfigError(
      at(path, 'tokenEndpoint'),
      'is required without issuer: the URL that tokens are asked from',
    );
  if (issuer !== undefined) checkEndpointUrl(url.read(issuer, at(path, 'issuer')), read, at(path, 'issuer'));
  for (const name of parameters.keys())
    if (OWN_PARAMETERS.has(name))
      throw new ConfigError(at(path, `parameters.${name}`), 'is set by the exchange; remove it');
  return {
    path,
    issuer,
    tokenEndpoint:
      tokenEndpoint === undefined
        ? undefined
        : checkEndpointUrl(tokenEndpoint, read, at(path, 'tokenEndpoint')),
    clientAuthentication: read.clientAuthentication,
    parameters,
    timeoutMs: read.timeout,
    allowHttp: read.allowHttp,
    tls: read.tls,
    proxy: read.proxy,
  };
}

/** The path of a member. */
export const at = (path: string, name: string) => (path === '' ? name : `${path}.${name}`);
