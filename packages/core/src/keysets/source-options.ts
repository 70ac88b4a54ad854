// Where the keys of a keyset come from: reads the option of each source. The options next to a
// source are in options.ts.
import { ConfigError } from '../errors.ts';
import { url } from '../net/options.ts';
import { decodedPath } from '../net/paths.ts';
import { ENCODINGS } from '../secrets/encoding.ts';
import { name, secretName } from '../secrets/options.ts';
import { publicJwkFromPem } from '../secrets/pem.ts';
import { type AlgorithmName, findAlgorithm } from '../token/algorithms.ts';
import { type Judge, listed, members, nameOf, replaced, replacedBy, verdict } from '../values/judge.ts';
import { kindOf } from '../values/kind.ts';
import {
  choice,
  defaulted,
  fileName,
  type Kind,
  list,
  needed,
  object,
  optional,
  patternSchema,
  refined,
  type Schema,
  shared,
  type TableOf,
  text,
  wordSchemas,
} from '../values/option.ts';
import { readText } from '../values/readers.ts';
import { publicNames, readAlgorithm } from './algorithm-options.ts';
import { readInlineSet } from './inline.ts';
import type { JwksHost } from './jku.ts';
import type { PublicKeySettings } from './public-keys.ts';

/** The name of a source. */
export type SourceName =
  | 'useOidcDiscovery'
  | 'useDiscovery'
  | 'jwksUrl'
  | 'jwksHosts'
  | 'secret'
  | 'externalSecret'
  | 'jwks'
  | 'publicKeys';

/**
 * One public key, in a file or in place, and the one algorithm that it is for. `RSA256` and
 * `RSA512` are other names of RS256 and RS512. A certificate only holds its key: its dates and its
 * issuer are not checked.
 */
export type PublicKeyOptions = { readonly algorithm: AlgorithmName | 'RSA256' | 'RSA512' } & (
  | { readonly file: string; readonly pem?: never }
  | { readonly pem: string; readonly file?: never }
);

const IN_STORE = 'expected the secret itself in the store of the option secrets, and here its name';
const MAX_PUBLIC_KEYS = 10;
const PUBLIC_KEY = "{ pem: '…', algorithm: 'RS256' }";

/** The options of one public key. */
const publicKeyOptions = object(
  {
    algorithm: needed(
      {
        read(value, path): AlgorithmName {
          if (value === undefined)
            throw new ConfigError(path, "is required: the one algorithm of the key, like 'RS256'");
          const renamed = value === 'RSA256' ? 'RS256' : value === 'RSA512' ? 'RS512' : value;
          const read = readAlgorithm(renamed, path);
          if (findAlgorithm(read)?.kty === 'oct')
            throw new ConfigError(path, 'expected an algorithm with public keys');
          return read;
        },
        schema: { anyOf: wordSchemas(...publicNames, 'RSA256', 'RSA512') },
      },
      'The one algorithm of the key.',
    ),
    file: optional(fileName, 'A PEM file: a public key, or a certificate, of which only the key counts.'),
    pem: optional(
      refined(
        text,
        checkPem,
        patternSchema('-----BEGIN (?:(?:RSA )?PUBLIC KEY|CERTIFICATE)-----|^\\s*LS0tLS1CRUdJTi'),
      ),
      'The PEM itself.',
    ),
  } satisfies TableOf<PublicKeyOptions>,
  { oneOf: [{ required: ['file'] }, { required: ['pem'] }] },
  {
    like: `${PUBLIC_KEY} or { file: '…', algorithm: 'RS256' }`,
    hints: new Map([
      ['alg', 'here: algorithm'],
      ['key', 'here: pem or file'],
      ['kty', 'a JWK is written as jwks: { keys: [ … ] }, in place of publicKeys'],
      ['path', 'here: file'],
    ]),
  },
);

const publicKey: Kind<PublicKeySettings> = refined(
  publicKeyOptions,
  ({ file, pem, algorithm }, path) => {
    if (file !== undefined && pem === undefined) return { file, algorithm };
    if (file === undefined && pem !== undefined) return { pem, algorithm };
    throw new ConfigError(
      path,
      `expected either file or pem, got ${file === undefined ? 'neither' : 'both'}`,
    );
  },
  shared('publicKey', { ...publicKeyOptions.schema, description: 'A public key, from a file or in place.' }),
);

const publicKeys = list(publicKey, { maxItems: MAX_PUBLIC_KEYS });
const publicKeyList: typeof publicKeys = {
  ...publicKeys,
  read(value, path) {
    // The brackets alone would not make it right.
    if (typeof value === 'string')
      throw new ConfigError(path, `expected a list, such as [${PUBLIC_KEY}], got a string`);
    return publicKeys.read(value, path);
  },
};

/** Which secret, and which entry of it. */
export const reference = object(
  {
    name,
    key: defaulted(secretName, 'jwks.json', 'The entry in the secret.'),
    encoding: optional(
      choice(...ENCODINGS),
      'The entry is a symmetric secret, written in this encoding. Default: a JWK Set; or a text in UTF-8, if only HS algorithms are allowed.',
    ),
  },
  {},
  {
    like: '{ name } of a secret in the store, not the secret itself',
    hints: new Map(['value', 'secret'].map((name) => [name, IN_STORE])),
  },
);
const elsewhere = replaced('keys come from elsewhere');

/** Each source of a keyset. */
export const SOURCES = {
  useOidcDiscovery: needed(
    { read: readTrue, schema: { const: true } },
    'Keys come from the metadata of the issuer (OpenID Connect Discovery).',
    elsewhere,
  ),
  useDiscovery: needed(
    choice('oauth', 'oidc', 'any'),
    'Keys come from the metadata of the issuer. oauth: RFC 8414. oidc: OpenID Connect Discovery, as with useOidcDiscovery. any: the first of both that exist.',
    elsewhere,
  ),
  jwksUrl: needed(url, 'Keys come from this URL, as a JWK Set.', replacedBy('keys come from elsewhere')),
  jwksHosts: needed(
    list({ read: readHost, schema: text.schema }),
    'Keys come from the URL in the jku of a token, if it is on one of these hosts: keys.example.com, with a port and a /path/ if needed.',
    listed({ more: 'opens', thing: 'host' }),
  ),
  secret: needed(reference, 'Keys are in this secret, as a JWK Set or a symmetric secret.', elsewhere),
  externalSecret: needed(
    reference,
    'Keys are in this secret of the external store, as a JWK Set or a symmetric secret.',
    elsewhere,
  ),
  jwks: needed(
    { read: readInlineSet, schema: shared('jwks', jwksSchema()) },
    'Public keys in place, as a JWK Set.',
    members({ keys: inOrder }),
  ),
  publicKeys: needed(
    refined(publicKeyList, (keys, path) => {
      if (keys.length <= MAX_PUBLIC_KEYS) return keys;
      throw new ConfigError(path, `expected at most ${MAX_PUBLIC_KEYS} keys, got ${keys.length}`);
    }),
    'Public keys as PEM, a primary one and its backups, each with its algorithm.',
    listed({
      more: 'opens',
      thing: 'public key',
      name: (key) => nameOf(Reflect.get(Object(key), 'file'), 'in place'),
    }),
  ),
};

function readTrue(value: unknown, path: string): true {
  if (value === true) return value;
  const isUrl = typeof value === 'string' && /^https?:/i.test(value);
  const fix = isUrl
    ? '; write the URL as issuer'
    : value === false
      ? '; leave it out, and write another source, such as jwksUrl'
      : '';
  throw new ConfigError(path, `expected true, got ${value === false ? 'false' : kindOf(value)}${fix}`);
}

function readHost(value: unknown, path: string): JwksHost {
  const text = readText(value, path);
  const url = URL.canParse(`https://${text}`) ? new URL(`https://${text}`) : undefined;
  // If the parser would change or drop a part, the text is not a plain host.
  if (/^https?:/i.test(text))
    throw new ConfigError(path, 'expected a host, like keys.example.com, got a URL; leave out its https://');
  if (url === undefined || ![url.host, `${url.host}${url.pathname}`].includes(text) || /[*?#@]/.test(text)) {
    throw new ConfigError(
      path,
      'expected a host in lower case, like keys.example.com, :port and /path/ if needed',
    );
  }
  if (!url.pathname.endsWith('/')) throw new ConfigError(path, 'expected a path that ends with /');
  const pathPrefix = decodedPath(url.pathname);
  if (pathPrefix === undefined) {
    throw new ConfigError(path, 'expected a path of ASCII without encoded separators, dots, ; or %');
  }
  return { host: url.host, pathPrefix };
}

function checkPem(pem: string, path: string): string {
  if (!/-----BEGIN|^\s*LS0tLS1CRUdJTi/.test(pem))
    throw new ConfigError(path, 'expected PEM, got a string without -----BEGIN; write a path as file');
  try {
    publicJwkFromPem(pem);
    return pem;
  } catch (cause) {
    throw new ConfigError(path, cause instanceof Error ? cause.message : 'expected PEM', { cause });
  }
}

function jwksSchema(): Schema {
  const secret = ['d', 'k', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'priv'];
  const key = {
    description: 'A public JWK. Private and symmetric keys belong in a secret.',
    type: 'object',
    required: ['kty'],
    properties: {
      kty: { description: 'The type of the key.', enum: ['RSA', 'EC', 'OKP', 'AKP'] },
      ...Object.fromEntries(secret.map((member) => [member, false])),
    },
  };
  return {
    description: 'A JWK Set with public keys only.',
    type: 'object',
    required: ['keys'],
    properties: { keys: { description: 'The keys.', type: 'array', minItems: 1, items: key } },
  };
}

/**
 * Judges changes of the keys in a set. Their order decides which key is used for a token without a
 * kid.
 */
function inOrder(before: unknown, after: unknown): ReturnType<Judge> {
  const name = (key: unknown) => nameOf(Reflect.get(Object(key), 'kid'), 'without a key id');
  const found = listed({ more: 'opens', thing: 'key', name })(before, after);
  return found.length > 0 ? found : [verdict('changes', 'keys are in another order', after)];
}
