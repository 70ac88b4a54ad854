// The identifiers of types of tokens, RFC 8693 §3: their short names in options, and the URIs of
// requests.
import { ConfigError } from '../errors.ts';
import { type Kind, refined, text } from '../values/option.ts';

const PREFIX = 'urn:ietf:params:oauth:token-type:';
const NAMES = ['access_token', 'refresh_token', 'id_token', 'saml1', 'saml2', 'jwt'] as const;

/**
 * The type of a token, RFC 8693 §3: the last part of a registered identifier, or a URI of your
 * server.
 */
export type TokenType = (typeof NAMES)[number] | `${string}:${string}`;

/** An access token. */
export const ACCESS_TOKEN: string = `${PREFIX}access_token`;
/** An ID token of OpenID Connect. */
export const ID_TOKEN: string = `${PREFIX}id_token`;
/** An assertion for an authorization server: an Identity Assertion JWT Authorization Grant. */
export const ID_JAG: string = `${PREFIX}id-jag`;

/** A type of token. It is read as a URI. */
export const tokenType: Kind<string> = refined(text, (value, path) => {
  if ((NAMES as readonly string[]).includes(value)) return `${PREFIX}${value}`;
  if (!URL.canParse(value))
    throw new ConfigError(path, `expected one of ${NAMES.join(', ')}, or a URI of another type`);
  return value;
});
