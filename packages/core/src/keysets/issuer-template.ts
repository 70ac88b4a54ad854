// The issuer of a keyset for many tenants: a URL with one placeholder, as in
// https://id.example.com/realms/{realm}. Which tenants are welcome is decided in tenants.ts.
import { ConfigError } from '../errors.ts';

/** The issuers of all tenants of one provider. */
export interface IssuerTemplate {
  /** As written, with the placeholder. */
  readonly text: string;
  /** The name of the placeholder. */
  readonly placeholder: string;
  /** The placeholder is in the host, so each tenant has a server of its own. */
  readonly isInHost: boolean;
  /** The tenant that an issuer names; undefined for an issuer of another form. */
  tenantOf(issuer: string): string | undefined;
  /** The issuer of a tenant. */
  issuerOf(tenant: string): string;
}

const HOW =
  "write the placeholder once, as a whole segment of the path or as the first label of the host: 'https://id.example.com/realms/{realm}', 'https://{tenant}.example.com'";

/** The greatest length of the name of a tenant. */
export const MAX_TENANT_LENGTH = 64;
const IN_PATH = /^[A-Za-z0-9-]+$/;
/**
 * A label of a host as URLs have it: in lower case, without a hyphen at its ends, and not the
 * encoded form of another name (`xn--`). Otherwise several issuers would be one host.
 */
const IN_HOST = /^(?!..--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** True for an issuer with braces: it is a template, or a wrong one. */
export function hasBraces(issuer: string): boolean {
  return /[{}]/.test(issuer);
}

/**
 * Reads a template. Issuers are compared by code point, so nothing in it is normalised, and a
 * template that a URL parser would change is refused.
 * @throws ConfigError
 */
export function readTemplate(text: string, allowHttp: boolean, path: string): IssuerTemplate {
  const refuse = (got: string): ConfigError =>
    new ConfigError(path, `expected the issuers of tenants, got ${got}; ${HOW}`);
  const [prefix = '', between, suffix = '', ...others] = text.split(/[{}]/);
  const placeholder = between ?? '';
  if (others.length > 0 || text !== `${prefix}{${placeholder}}${suffix}`)
    throw refuse('other braces than one placeholder');
  if (!/^[A-Za-z]\w{0,31}$/.test(placeholder))
    throw refuse('a placeholder whose name is not made of letters and digits');
  const isLabel = /^https?:\/\/$/.test(prefix);
  const isWhole = isLabel ? suffix.startsWith('.') : prefix.endsWith('/') && /^(?:$|\/)/.test(suffix);
  if (!isWhole) throw refuse('a placeholder that is a part of a segment or of a label');

  const filled = `${prefix}a${suffix}`;
  const url = URL.canParse(filled) ? new URL(filled) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw refuse('no URL');
  if (url.protocol === 'http:' && !allowHttp)
    throw new ConfigError(path, 'must be https (allowHttp permits http)');
  // A user name, a query or a fragment too: the URL of metadata has none of them.
  const isExact = [url.href, url.href.replace(/\/$/, '')].includes(filled) && !/[?#@]/.test(filled);
  if (!isExact) throw refuse('a URL that is not in its plain form: a host in lower case, and a path only');
  if (isLabel && !isUnderDomain(url.hostname))
    throw refuse('a placeholder in the domain itself; two labels have to follow it');

  const value = isLabel ? IN_HOST : IN_PATH;
  const fixed = prefix.length + suffix.length;
  return Object.freeze<IssuerTemplate>({
    text,
    placeholder,
    isInHost: isLabel,
    tenantOf(issuer) {
      const length = issuer.length - fixed;
      if (length < 1 || length > MAX_TENANT_LENGTH) return undefined;
      if (!issuer.startsWith(prefix) || !issuer.endsWith(suffix)) return undefined;
      const tenant = issuer.slice(prefix.length, prefix.length + length);
      return value.test(tenant) ? tenant : undefined;
    },
    issuerOf: (tenant) => `${prefix}${tenant}${suffix}`,
  });
}

/** True if two labels follow the first one, so that it is never what a registrar sells. */
function isUnderDomain(hostname: string): boolean {
  const [, ...domain] = hostname.split('.');
  return domain.length >= 2 && domain.every((label) => label !== '');
}
