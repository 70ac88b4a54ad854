// Which options and guards of connections a runtime keeps. The tests hold each cell with real
// servers, and docs/runtimes.md shows them. On Node, all are kept.

/** `refused`: a ConfigError that names the option and the runtime. */
export type Keeps = 'yes' | 'refused';

/** An option, or a guard that needs no option. */
export interface NetworkFeature {
  readonly text: string;
  readonly Deno: Keeps;
  readonly Bun: Keeps;
}

const everywhere = (text: string): NetworkFeature => ({ text, Deno: 'yes', Bun: 'yes' });
const onNode = (text: string): NetworkFeature => ({ text, Deno: 'refused', Bun: 'refused' });

/** The features, by the name of their test. */
export const NETWORK = {
  https: everywhere('Keys, signing keys, `remote` and `ldaps` over https, with the CAs of the system'),
  refusesCertificates: everywhere(
    'A certificate that is expired, of another host or of an unknown CA is refused, TLS 1.1 too',
  ),
  ignoresRejectUnauthorized: everywhere('`NODE_TLS_REJECT_UNAUTHORIZED=0` has no effect on these'),
  environmentProxy: everywhere('The proxy in `HTTPS_PROXY`'),
  loopbackIsDirect: everywhere('No proxy of the environment reads plain http to loopback'),
  serviceTokens: everywhere('No proxy of the environment reads a service token over plain http'),
  redirects: everywhere('A redirect to another origin is not followed'),
  timeouts: everywhere('`timeout` of `remote`'),
  hosts: everywhere('`jwksHosts` with `unsafeAllowPrivateAddresses`'),
  ca: onNode('`tls.ca`'),
  fingerprints: onNode('`tls.fingerprints`'),
  cipherSuites: onNode('`tls.cipherSuites`'),
  proxy: onNode('`proxy`: a URL or `false`'),
  privateAddresses: onNode('`jwksHosts`, which refuses private addresses'),
} as const satisfies Readonly<Record<string, NetworkFeature>>;
