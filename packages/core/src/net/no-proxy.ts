// Reads NO_PROXY, the list of hosts that no proxy is used for. Its syntax is the one of
// EnvHttpProxyAgent of undici, and so of Node's own fetch.

/**
 * True if the list names the host of this URL: by name, with or without port, as a subdomain of a
 * name, or by `*`. The entry `*.example.com` names the subdomains of example.com, but not itself.
 * @param list entries between commas or white space
 */
export function isInNoProxy({ hostname, port, protocol }: URL, list: string): boolean {
  const host = bare(hostname);
  const ofUrl = Number(port) || (protocol === 'https:' ? 443 : 80);
  return list
    .toLowerCase()
    .split(/[,\s]+/)
    .some((entry) => {
      if (entry === '') return false;
      const parts = /^\[(.+)\]:(\d+)$/.exec(entry) ?? /^([^:]+):(\d+)$/.exec(entry) ?? [];
      const { 1: name = entry, 2: ofEntry } = parts;
      if (Number(ofEntry ?? 0) !== 0 && Number(ofEntry) !== ofUrl) return false;
      const suffix = bare(name.replace(/^\*?\./, ''));
      if (suffix === '*') return true;
      return host.endsWith(`.${suffix}`) || (host === suffix && !entry.startsWith('*'));
    });
}

/** A host without the brackets of an IPv6 address, and without the dot of a complete name. */
function bare(host: string): string {
  return host.replace(/^\[(.+)\]$/, '$1').replace(/^(.+)\.$/, '$1');
}
