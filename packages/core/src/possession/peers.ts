// The proxies whose headers count: addresses and networks of the other end of a connection.
import { BlockList, isIP } from 'node:net';
import { ConfigError } from '../errors.ts';
import { type Kind, patternSchema, refined, text } from '../values/option.ts';

/** A network; an address is a network of one. */
export interface Network {
  readonly address: string;
  readonly prefix: number;
  readonly family: 'ipv4' | 'ipv6';
}

/** An address, or a network such as `10.0.0.0/8`. */
export const network: Kind<Network> = refined(
  text,
  (written, path) => {
    const [, address = '', length] = /^([0-9A-Fa-f.:]+)(?:\/(\d{1,3}))?$/.exec(written) ?? [];
    const version = isIP(address);
    const bits = version === 4 ? 32 : 128;
    const prefix = length === undefined ? bits : Number(length);
    if (version === 0 || prefix > bits)
      throw new ConfigError(path, 'expected an address or a network, like 10.0.0.7 or 10.0.0.0/8');
    if (prefix === 0)
      throw new ConfigError(path, 'would trust every peer; write the networks of your proxies');
    const family = version === 4 ? 'ipv4' : 'ipv6';
    if (family === 'ipv6' && reachesIpv4(address, prefix))
      throw new ConfigError(path, 'would trust peers with IPv4; write their networks as IPv4');
    return Object.freeze({ address, prefix, family });
  },
  patternSchema('^[0-9A-Fa-f.:]+(?:/[0-9]{1,3})?$'),
);

/** An address of IPv4 is also one of IPv6, in `::ffff:0:0/96`. */
function reachesIpv4(address: string, prefix: number): boolean {
  const list = new BlockList();
  list.addSubnet(address, prefix, 'ipv6');
  const mapped = new BlockList();
  mapped.addSubnet('::ffff:0:0', 96, 'ipv6');
  return mapped.check(address, 'ipv6') || list.check('::ffff:0:0', 'ipv6');
}

/** Tells whether the address of a peer is in one of the networks. */
export type PeerMatcher = (address: unknown) => boolean;

/** Makes a matcher. An IPv4 address that a socket writes as IPv6 is judged as IPv4. */
export function peerMatcher(networks: readonly Network[]): PeerMatcher {
  const trusted = new BlockList();
  for (const { address, prefix, family } of networks) trusted.addSubnet(address, prefix, family);
  return (address) => {
    // A Unix socket has no address, and neither has a connection that was closed.
    if (typeof address !== 'string') return false;
    // A link-local address of a socket has the name of its interface.
    const [plain = ''] = address.split('%');
    const version = isIP(plain);
    return version !== 0 && trusted.check(plain, version === 4 ? 'ipv4' : 'ipv6');
  };
}
