// How this service authenticates at a token endpoint: RFC 6749 §2.3.1, RFC 7523 §2.2. Which client
// it is, and what it asks for, is in exchange.ts.
import { randomUUID } from 'node:crypto';
import { ConfigError } from '../errors.ts';
import { basicAuthorization, readClientSecret } from '../secrets/client-secret.ts';
import { key, name } from '../secrets/options.ts';
import type { SecretReference, SecretStore } from '../secrets/store.ts';
import { kindOf } from '../values/kind.ts';
import {
  choice,
  fromCode,
  type Kind,
  needed,
  object,
  optional,
  type TableOf,
  text,
} from '../values/option.ts';

/** Signs assertions of the client, within `timeout`: a `Signer` of `createSigner`. */
export interface AssertionSigner {
  sign(claims: { readonly [name: string]: unknown }): Promise<string>;
}

/** A client with a secret, in the header (`basic`) or in the form (`post`): RFC 6749 §2.3.1. */
export interface SecretClientAuthentication {
  readonly method: 'client_secret_basic' | 'client_secret_post';
  readonly clientId: string;
  /** The entry of `secrets` with the secret. */
  readonly secret: { readonly name: string; readonly key: string };
}

/** A client with a key: an assertion that `signer` signs for each request, RFC 7523 §2.2. */
export interface PrivateKeyClientAuthentication {
  readonly method: 'private_key_jwt';
  readonly clientId: string;
  /** Made by `createSigner`. It must not add `iss` or `aud` of its own. */
  readonly signer: AssertionSigner;
  /** `aud` of the assertion. Default: the `issuer`, or else the URL of the token endpoint. */
  readonly audience?: string;
}

/**
 * A client without a secret. Any program that has a token of a user can then exchange it, so this
 * is for servers that know the client in another way (warns).
 */
export interface UnsafeNoClientAuthentication {
  readonly method: 'unsafeNone';
  readonly clientId: string;
}

/** How this service authenticates at a token endpoint. */
export type ClientAuthentication =
  | SecretClientAuthentication
  | PrivateKeyClientAuthentication
  | UnsafeNoClientAuthentication;

/** A way to authenticate, checked. */
export interface ClientAuthenticationSettings {
  readonly method: ClientAuthentication['method'];
  readonly clientId: string;
  readonly secret: SecretReference | undefined;
  readonly signer: AssertionSigner | undefined;
  readonly audience: string | undefined;
}

/** What a request has of the client. */
interface ClientProof {
  readonly headers: { readonly [name: string]: string };
  readonly parameters: readonly (readonly [name: string, value: string])[];
}

/** The lifetime of an assertion, in seconds: it is used at once. */
const ASSERTION_SECONDS = 60;

const table = object({
  method: needed(
    choice('client_secret_basic', 'client_secret_post', 'private_key_jwt', 'unsafeNone'),
    'How the client authenticates.',
  ),
  clientId: needed(text, 'The id of the client.'),
  secret: optional(object({ name, key }), 'Which secret, and which entry of it.'),
  signer: optional(fromCode(readSigner), 'The signer of assertions.'),
  audience: optional(text, 'The aud of assertions.'),
} satisfies TableOf<ClientAuthentication>);

/** A way to authenticate. */
export const clientAuthentication: Kind<ClientAuthenticationSettings> = {
  ...table,
  read(value, path) {
    const read = table.read(value, path);
    const { method } = read;
    const hasSecret = method === 'client_secret_basic' || method === 'client_secret_post';
    const hasKey = method === 'private_key_jwt';
    const member = (member: 'secret' | 'signer' | 'audience', isHere: boolean, isNeeded = isHere) => {
      if (read[member] === undefined ? isNeeded : !isHere)
        throw new ConfigError(
          `${path}.${member}`,
          isHere
            ? `is required with method: '${method}'`
            : `is not allowed with method: '${method}'; remove it`,
        );
    };
    member('secret', hasSecret);
    member('signer', hasKey);
    member('audience', hasKey, false);
    return read;
  },
};

function readSigner(value: unknown, path: string): AssertionSigner {
  if (typeof value !== 'object' || value === null || !('sign' in value) || typeof value.sign !== 'function')
    throw new ConfigError(path, 'expected a signer; make it with createSigner');
  return value as AssertionSigner;
}

/**
 * Authenticates the client for one request.
 * @param audience of an assertion, unless the options name another one
 * @param nowMs the time of day, in milliseconds
 * @returns a promise that need not settle: the signer may be code of the application
 */
export async function authenticateClient(
  settings: ClientAuthenticationSettings,
  audience: string,
  nowMs: number,
  {
    secrets,
    timeoutMs,
    signal,
  }: {
    readonly secrets: SecretStore | undefined;
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
  },
): Promise<ClientProof> {
  const { method, clientId, secret, signer } = settings;
  if (signer !== undefined) {
    const now = Math.floor(nowMs / 1000);
    const claims = {
      iss: clientId,
      sub: clientId,
      aud: settings.audience ?? audience,
      jti: randomUUID(),
      iat: now,
      exp: now + ASSERTION_SECONDS,
    };
    const assertion: unknown = await signer.sign(claims);
    if (typeof assertion !== 'string' || assertion === '')
      throw new Error(`expected a text from sign() of the signer, got ${kindOf(assertion)}`);
    return {
      headers: {},
      parameters: [
        ['client_id', clientId],
        ['client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'],
        ['client_assertion', assertion],
      ],
    };
  }
  if (secret === undefined || secrets === undefined)
    return { headers: {}, parameters: [['client_id', clientId]] };
  const password = await readClientSecret(secrets, secret, timeoutMs, signal);
  return method === 'client_secret_basic'
    ? { headers: { authorization: basicAuthorization(clientId, password) }, parameters: [] }
    : {
        headers: {},
        parameters: [
          ['client_id', clientId],
          ['client_secret', password],
        ],
      };
}
