// Options of mutual TLS (RFC 8705). How certificates are judged is in mutual-tls.ts.
import { ConfigError } from '../errors.ts';
import { coming, listed, replaced } from '../values/judge.ts';
import { choice, type Kind, list, needed, object, optional, type TableOf } from '../values/option.ts';
import { modeJudge, type ProofMode, proofMode } from './mode.ts';
import { type Network, network } from './peers.ts';

/** The headers in which proxies write the certificate of a client. */
export type ClientCertificateHeader = 'Client-Cert' | 'X-Forwarded-Client-Cert';

/** How tokens that are bound to a certificate of the client (RFC 8705) are accepted. */
export interface MutualTlsOptions {
  /**
   * `off`: a token that is bound to a certificate is refused. `allowed`: it is accepted over a
   * connection of a client that has this certificate, and a token that is not bound is a bearer
   * token as before. `required`: a token that is not bound to a certificate is refused, also one
   * that is bound to another key; for either, see `senderConstrained`. A route can tighten this:
   * see `RouteAccess.mutualTls`.
   */
  readonly mode: ProofMode;
  /**
   * The header in which a proxy that ends TLS writes the certificate of the client: `Client-Cert`
   * (RFC 9440), or `X-Forwarded-Client-Cert` of Envoy, with one element. It counts only in requests
   * of `trustedPeers`. The proxy must remove both headers from what clients send. Default: no
   * header is read, and the certificate is that of the socket.
   */
  readonly header?: ClientCertificateHeader;
  /**
   * The addresses and networks of the proxies whose `header` counts, by the other end of the
   * connection, and never by `X-Forwarded-For`. In their requests, the certificate of the socket is
   * that of the proxy, and never that of the client. A Unix socket has no address, so no header is
   * read from it. Required with `header`. Example: `['10.0.0.0/8', '::1']`.
   */
  readonly trustedPeers?: readonly string[];
}

/** The options of mutual TLS. */
export const mutualTlsOptions = object(
  {
    mode: needed(
      proofMode,
      'off: tokens that are bound to a certificate are refused. allowed: they need it. required: other tokens are refused too.',
      modeJudge,
    ),
    header: optional(
      choice('Client-Cert', 'X-Forwarded-Client-Cert'),
      'The header in which the proxies of trustedPeers write the certificate of the client.',
      coming(
        ['opens', 'proxies say which certificate a client has'],
        ['closes', 'only the socket says which certificate a client has'],
        replaced('certificates come in another header'),
      ),
    ),
    trustedPeers: optional(
      list(network),
      'The addresses and networks of the proxies whose header counts. Required with header.',
      listed({ more: 'opens', thing: 'trusted peer' }),
    ),
  } satisfies TableOf<MutualTlsOptions>,
  { dependentRequired: { header: ['trustedPeers'], trustedPeers: ['header'] } },
  { like: "options of mutual TLS, such as { mode: 'allowed' }" },
);

/** Checked options of mutual TLS. */
export interface MutualTlsSettings {
  readonly isRequired: boolean;
  /** Undefined: the certificate is that of the socket. */
  readonly forwarded:
    | { readonly header: ClientCertificateHeader; readonly peers: readonly Network[] }
    | undefined;
}

/** `mutualTls`; undefined where it is off. */
export const mutualTls: Kind<MutualTlsSettings | undefined> = {
  schema: mutualTlsOptions.schema,
  judge: mutualTlsOptions.judge,
  read(value, path) {
    const { mode, header, trustedPeers: peers } = mutualTlsOptions.read(value, path);
    if (header !== undefined && peers === undefined)
      throw new ConfigError(
        `${path}.trustedPeers`,
        'is required with header: the addresses of the proxies that write it, like 10.0.0.0/8',
      );
    if (header === undefined && peers !== undefined)
      throw new ConfigError(`${path}.trustedPeers`, 'is only for header; add header, or remove it');
    if (mode === 'off') return undefined;
    return Object.freeze<MutualTlsSettings>({
      isRequired: mode === 'required',
      forwarded: header && peers && Object.freeze({ header, peers }),
    });
  },
};
