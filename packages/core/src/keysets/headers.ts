// Headers of requests for keys, such as the token of a Kubernetes service account. Their values are
// read at each request, so that a replaced file or secret counts at once.
import { ConfigError } from '../errors.ts';
import { readSecret } from '../secrets/read.ts';
import { checkSecretName, type SecretReference, type SecretStore } from '../secrets/store.ts';
import { other } from '../values/judge.ts';
import { byName, type Kind, object, optional, text } from '../values/option.ts';
import { readSmallFile } from '../values/small-file.ts';

/** Where the value of a header is: in a file, or in the store `secrets`. */
export type SourceHeader = ({ readonly file: string } | { readonly name: string; readonly key: string }) & {
  /** The text before the value, such as `Bearer ` with its space. Default: none. */
  readonly prefix?: string;
};

/** A header, checked. */
interface HeaderSettings {
  readonly place: { readonly file: string } | SecretReference;
  readonly prefix: string;
}

/** Headers, checked, by name in lower case. */
export type SourceHeaders = ReadonlyMap<string, HeaderSettings>;

const MAX_HEADER_BYTES = 16 * 1024;
/** Headers that belong to the connection or to the request itself. RFC 9110 §5.1, §7.6.1. */
const OWN =
  /^(?:accept|connection|content-.*|expect|host|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade)$/;

const members = object({
  file: optional(text, 'A file that holds the value. A line break at its end is not part of it.'),
  name: optional(text, 'The secret that holds the value.'),
  key: optional(text, 'The entry of the secret.'),
  prefix: optional(text, 'The text before the value, such as "Bearer " with its space.'),
});

const header: Kind<HeaderSettings> = {
  read(value, path) {
    const { file, name, key, prefix = '' } = members.read(value, path);
    if ((file === undefined) === (name === undefined) || (name === undefined) !== (key === undefined))
      throw new ConfigError(path, 'expected either { file } or { name, key } of a secret');
    if (!/^[\x20-\x7e]*$/.test(prefix)) throw new ConfigError(`${path}.prefix`, 'expected printable ASCII');
    const at = (part: string) => `${path}.${part}`;
    return {
      prefix,
      place:
        file === undefined
          ? { name: checkSecretName(name ?? '', at('name')), key: checkSecretName(key ?? '', at('key')) }
          : { file },
    };
  },
  schema: {
    ...members.schema,
    anyOf: [
      { required: ['file'], properties: { name: false, key: false } },
      { required: ['name', 'key'], properties: { file: false } },
    ],
  },
};
const all = byName(header, 'expected an object with the names of headers as keys');

/** `headers` of a keyset that is fetched from a URL of the options. */
export const headers = optional(
  {
    read(value, path): SourceHeaders {
      const given = new Map([...all.read(value, path)].map(([name, one]) => [name.toLowerCase(), one]));
      for (const name of given.keys())
        if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) || OWN.test(name))
          throw new ConfigError(`${path}.${name}`, 'expected the name of a header that a request may carry');
      return given;
    },
    schema: all.schema,
  },
  'Headers of the requests for keys, from a file or a secret. They are sent to the origin of the URL or the issuer only, and never after a redirect.',
  // A header decides whether the keys can be read, not which tokens are accepted.
  other('keys are read with other headers'),
);

/** The values at this moment. */
export type HeaderValues = (signal: AbortSignal) => Promise<Record<string, string>>;

/**
 * Makes a function that reads the values.
 * @throws ConfigError for a secret without a store
 */
export function createHeaderValues(
  settings: SourceHeaders | undefined,
  store: SecretStore | undefined,
  keyset: string,
): HeaderValues {
  const given = [...(settings ?? [])].map(([name, { place, prefix }]) => {
    if ('file' in place) return { name, prefix, read: async () => readFile(place.file, name) };
    if (store === undefined)
      throw new ConfigError(`${keyset}.headers.${name}`, 'expected a secret store; pass one in secrets');
    return { name, prefix, read: (signal: AbortSignal) => readSecret(store, place, signal) };
  });
  return async (signal) => {
    const values = given.map(async ({ name, prefix, read }) => {
      const value =
        prefix +
        Buffer.from(await read(signal))
          .toString('latin1')
          .replace(/\r?\n$/, '');
      // The text never contains the value: it is a credential.
      if (!/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(value))
        throw new Error(`the value of the header ${name} is not printable ASCII on one line`);
      return [name, value] as const;
    });
    return Object.fromEntries(await Promise.all(values));
  };
}

function readFile(path: string, name: string): Buffer {
  try {
    return readSmallFile(path, MAX_HEADER_BYTES);
  } catch (cause) {
    throw new Error(`the file of the header ${name} ${cause instanceof Error ? cause.message : ''}`);
  }
}
