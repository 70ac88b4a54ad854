// The security schemes of an authenticator: where its tokens are, and how they are bound. Names are
// given here, each to one scheme.
import type { TokenPlace } from '../credentials/find.ts';
import type { AuthenticatorSettings } from '../decision/settings.ts';
import { metadataUrls } from '../keysets/discovery.ts';
import type { KeysetSettings } from '../keysets/options.ts';
import { isPlainObject } from '../values/readers.ts';
import type { SecurityScheme } from './types.ts';

/** A scheme, and the name that it would like to have. */
export interface NamedScheme {
  readonly name: string;
  readonly scheme: SecurityScheme;
}

/** The schemes of a document, by name. */
export interface SchemeNames {
  /** Returns the name of a scheme, which is added if the document does not have it. */
  nameOf(one: NamedScheme): string;
  readonly all: { readonly [name: string]: unknown };
}

const ANY_BEARER: NamedScheme = {
  name: 'bearer',
  scheme: { type: 'http', scheme: 'bearer', description: 'A token in the header Authorization.' },
};
const JWT_BEARER: NamedScheme = {
  name: 'bearer',
  scheme: { ...ANY_BEARER.scheme, bearerFormat: 'JWT' },
};

export const DPOP: NamedScheme = {
  name: 'DPoP',
  scheme: {
    type: 'http',
    scheme: 'DPoP',
    description:
      'A token that is bound to a key, in the header Authorization, with a proof of the key in the header DPoP (RFC 9449).',
  },
};

export const MUTUAL_TLS: NamedScheme = {
  name: 'mutualTLS',
  scheme: {
    type: 'mutualTLS',
    description: 'The token is bound to the certificate of the client (RFC 8705).',
  },
};

/** Gives each scheme a name, next to the schemes that a document has. */
export function schemeNames(given: unknown): SchemeNames {
  const all: { [name: string]: unknown } = isPlainObject(given) ? { ...given } : {};
  return {
    all,
    nameOf({ name, scheme }) {
      for (let number = 1; ; number++) {
        const tried = number === 1 ? name : `${name}_${number}`;
        if (!Object.hasOwn(all, tried)) {
          all[tried] = scheme;
          return tried;
        }
        if (isSame(all[tried], scheme)) return tried;
      }
    },
  };
}

/** True if a scheme of the document says the same. Its description may be another one. */
function isSame(given: unknown, scheme: SecurityScheme): boolean {
  if (!isPlainObject(given)) return false;
  const names: readonly (keyof SecurityScheme)[] = ['type', 'scheme', 'openIdConnectUrl', 'in', 'name'];
  const textOf = (value: unknown) => (typeof value === 'string' ? value.toLowerCase() : value);
  return names.every((name) => textOf(given[name]) === textOf(scheme[name]));
}

/** The schemes of a place: one of them is enough. */
export function schemesOf(
  place: TokenPlace,
  settings: AuthenticatorSettings,
  keysets: readonly KeysetSettings[],
): readonly NamedScheme[] {
  const { in: at, name, scheme } = place;
  if (at === 'body')
    // OpenAPI has no scheme for a form. RFC 6750 §2.2 defines it as a bearer token too.
    return [described(bearerOf(settings), `A token in the field ${name} of a form.`)];
  if (at !== 'header') return [apiKey(at, name, `A token in the ${placeText(at)} ${name}.`)];
  if (name.toLowerCase() !== 'authorization')
    return [apiKey(at, name, `A token in the header ${name}${before(scheme)}.`)];
  if (scheme === undefined)
    return [apiKey(at, name, 'A token in the header Authorization, without a scheme.')];
  if (scheme.toLowerCase() !== 'bearer')
    return [
      {
        name: scheme,
        scheme: {
          type: 'http',
          scheme,
          description: `A token in the header Authorization${before(scheme)}.`,
        },
      },
    ];
  const discovered = keysets.flatMap(discoveryOf);
  const hasOthers =
    discovered.length < keysets.length ||
    [settings.keys.length > 0, settings.keysetFor, settings.remote].some(Boolean);
  return [...discovered, ...(hasOthers || discovered.length === 0 ? [bearerOf(settings)] : [])];
}

/** The scheme of an authenticator that an application has written. */
export const unknownScheme = (): readonly NamedScheme[] => [ANY_BEARER];

/** The issuer tells clients where to get a token, if it is one issuer with OpenID metadata. */
function discoveryOf(keyset: KeysetSettings): readonly NamedScheme[] {
  if (keyset.tenancy !== undefined) return [];
  if (keyset.source !== 'useOidcDiscovery' && keyset.source !== 'useDiscovery') return [];
  if (keyset.discovery !== 'oidc') return [];
  const [{ href }] = metadataUrls(keyset.issuer, 'oidc');
  const description = 'A token of this issuer, in the header Authorization with the scheme Bearer.';
  return [{ name: 'openIdConnect', scheme: { type: 'openIdConnect', openIdConnectUrl: href, description } }];
}

/** Only keys judge JWTs; an endpoint alone may accept any text. */
function bearerOf({ keysets, keys, keysetFor }: AuthenticatorSettings): NamedScheme {
  return keysets.length + keys.length > 0 || keysetFor !== undefined ? JWT_BEARER : ANY_BEARER;
}

function apiKey(at: 'header' | 'cookie' | 'query', name: string, description: string): NamedScheme {
  return {
    name: `${at}_${name.replace(/[^A-Za-z0-9._-]/g, '_')}`,
    scheme: { type: 'apiKey', in: at, name, description },
  };
}

function described({ name, scheme }: NamedScheme, description: string): NamedScheme {
  return { name, scheme: { ...scheme, description } };
}

const before = (scheme: string | undefined) => (scheme === undefined ? '' : ` after the word ${scheme}`);
const placeText = (at: 'cookie' | 'query') => (at === 'cookie' ? 'cookie' : 'query parameter');
