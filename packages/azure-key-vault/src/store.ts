// Reads and writes the secrets of one vault through the official SDK. It does not cache or retry,
// and its errors repeat nothing from the vault's answers.
import { isUtf8 } from 'node:buffer';
import type { TokenCredential } from '@azure/core-auth';
import { isRestError } from '@azure/core-rest-pipeline';
import { type GetSecretOptions, type KeyVaultSecret, SecretClient } from '@azure/keyvault-secrets';
import type { SecretStore } from '@latchkey/core';
import { type AzureKeyVaultStoreOptions, readOptions, type Settings } from './options.ts';

const DEADLINE_MS = 5_000;
const MAX_RETRY_AFTER_MS = 3_600_000;

/**
 * The parts of an error answer that the store uses. They come from `onResponse`, because the SDK's
 * error lacks them when the body is empty.
 */
interface Answer {
  readonly status: number;
  readonly headers: { get(name: string): string | undefined };
}

/** One operation on the vault, as a call of the SDK. */
interface Action {
  readonly name: 'read' | 'write';
  ask(
    client: SecretClient,
    options: Pick<GetSecretOptions, 'abortSignal' | 'onResponse'>,
  ): Promise<KeyVaultSecret>;
}

/**
 * The likely meaning of a status. All messages here are constant, because the text of an answer may
 * contain secrets.
 */
const HINTS: { readonly [status: number]: string | { readonly [name in Action['name']]?: string } } = {
  401: ': the token was not accepted',
  403: {
    read: ': the identity may not read this secret, the vault does not admit this network, or the secret is disabled',
    write: ': the identity may not write this secret, or the vault does not admit this network',
  },
  404: ', and not because the secret is missing; check that vaultUrl is a vault',
  409: { write: ': a deleted secret of this name can still be recovered, or another client is writing it' },
};

/**
 * Creates a store for one Azure Key Vault. A read sends one request and returns the UTF-8 bytes of
 * the secret's value, or undefined if the vault answers SecretNotFound. The store does not cache,
 * retry, follow redirects or watch; the refresh of a keyset caches and retries.
 *
 * A read rejects for every other error status; for 429 and 503 the error has `retryAfterMs`
 * (milliseconds, at most 1 h) if the vault sent a valid Retry-After. A read also rejects if the
 * secret is empty, disabled, expired or not valid yet, if the credential gives no token, if the
 * caller aborts the signal, and after 5 s. No error contains a secret, a token or text of an
 * answer.
 *
 * A write creates a new version of the secret, which becomes the current one; old versions stay in
 * the vault. A write rejects in the same cases as a read, and also for an empty value, for bytes
 * that are not UTF-8, and for an entry that is pinned to a version, because a read could not return
 * such a value. A write that gets no answer may still have succeeded.
 * @throws ConfigError for options that cannot be used
 * @example
 * ```ts
 * const externalSecrets = createAzureKeyVaultStore({
 *   vaultUrl: 'https://my-vault.vault.azure.net',
 *   credential: new DefaultAzureCredential(),
 *   objects: { partner: { 'keys.json': { secretName: 'partner-keys' } } },
 * });
 * ```
 */
export function createAzureKeyVaultStore(options: AzureKeyVaultStoreOptions): SecretStore {
  const settings = readOptions(options);
  return Object.freeze<SecretStore>({
    description: 'azure-key-vault',
    async read(reference, signal) {
      signal.throwIfAborted();
      const { secretName, version = '' } = settings.locate(reference);
      const secret = await withinDeadline(signal, (abortSignal) =>
        perform(settings, abortSignal, {
          name: 'read',
          ask: (client, options) => client.getSecret(secretName, { ...options, version }),
        }),
      );
      return secret === undefined ? undefined : bytesOf(secret);
    },
    async write(reference, value, signal) {
      signal.throwIfAborted();
      const { secretName, version } = settings.locate(reference);
      if (version !== undefined)
        throw new Error('expected an entry without a version: a pinned entry would not read the new value');
      const text = textOf(value);
      await withinDeadline(signal, (abortSignal) =>
        perform(settings, abortSignal, {
          name: 'write',
          ask: (client, options) => client.setSecret(secretName, text, options),
        }),
      );
    },
  });
}

async function withinDeadline<T>(signal: AbortSignal, run: (inner: AbortSignal) => Promise<T>): Promise<T> {
  const stopping = new AbortController();
  const stop = () => stopping.abort(signal.reason);
  const late = () => stopping.abort(new Error(`Azure Key Vault gave no answer within ${DEADLINE_MS} ms`));
  const timer = setTimeout(late, DEADLINE_MS);
  signal.addEventListener('abort', stop);
  try {
    // Some credentials and some broken answers ignore the signal. The race ends the wait anyway.
    return await Promise.race([whenAborted(stopping.signal), run(stopping.signal)]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
  });
}

/** @returns the vault's answer, or undefined if the secret to read does not exist */
async function perform(
  { vaultUrl, credential, clientOptions }: Settings,
  abortSignal: AbortSignal,
  { name, ask }: Action,
): Promise<KeyVaultSecret | undefined> {
  let unauthenticated = false;
  const watched: TokenCredential = {
    async getToken(scopes, options) {
      unauthenticated = true;
      const token = await credential.getToken(scopes, options);
      unauthenticated = token === null;
      return token;
    },
  };
  let answer: Answer | undefined;
  try {
    // Each call has its own client. A shared client refreshes its token in the background and, if
    // that fails, retries for minutes; with @azure/keyvault-common 2.1.0 that failure is an
    // unhandled rejection.
    const client = new SecretClient(vaultUrl, watched, {
      ...clientOptions,
      retryOptions: { maxRetries: 0 },
      redirectOptions: { maxRetries: 0 },
    });
    const onResponse = (response: Answer) => {
      answer = response;
    };
    return await ask(client, { abortSignal, onResponse });
  } catch (error) {
    if (unauthenticated) throw new Error('the credential gave no token for Azure Key Vault');
    const code = isRestError(error) ? error.code : undefined;
    if (name === 'read' && answer?.status === 404 && code === 'SecretNotFound') return undefined;
    throw answer === undefined ? unanswered(code) : refused(answer, name);
  }
}

/** The text to store. A vault stores only text, and a read refuses an empty value. */
function textOf(value: Uint8Array): string {
  if (value.length === 0) throw new Error('expected a value that is not empty');
  if (!isUtf8(value)) throw new Error('expected UTF-8 text; a vault stores nothing else');
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8');
}

/**
 * Checks the secret and returns its bytes. A vault also returns secrets that have expired or are
 * not valid yet.
 */
function bytesOf({ value, properties: { enabled, notBefore, expiresOn } }: KeyVaultSecret): Uint8Array {
  const nowMs = Date.now();
  // The comparisons are negated, so that NaN is refused too: the SDK does not check the times.
  if ((enabled ?? true) !== true) throw new Error('the secret is disabled');
  if (!(Number(notBefore ?? 0) <= nowMs)) throw new Error('the secret is not valid yet');
  if (!(Number(expiresOn ?? Number.POSITIVE_INFINITY) > nowMs)) throw new Error('the secret has expired');
  if (typeof value !== 'string' || value === '') throw new Error('the secret is empty');
  return Buffer.from(value, 'utf8');
}

// The store makes its own errors. An SDK error is not used even as a cause: it contains the answer,
// and its message contains a body that cannot be parsed.

function unanswered(code: string | undefined): Error {
  // Only a code of Node, such as ECONNREFUSED or SELF_SIGNED_CERT_IN_CHAIN, goes into the message.
  const known = code !== undefined && /^[A-Z][A-Z0-9_]+$/.test(code) ? `: ${code}` : '';
  return new Error(`Azure Key Vault gave no answer${known}`);
}

function refused({ status, headers }: Answer, action: Action['name']): Error {
  if (status === 200) return new Error('Azure Key Vault gave an answer that cannot be read');
  const hint = HINTS[status] ?? '';
  const meaning = typeof hint === 'string' ? hint : (hint[action] ?? '');
  const error = new Error(`Azure Key Vault answered with status ${status}${meaning}`);
  if (status !== 429 && status !== 503) return error;
  const retryAfterMs = readRetryAfter(headers.get('retry-after'), Date.now());
  return retryAfterMs === undefined ? error : Object.assign(error, { retryAfterMs });
}

/** RFC 9110 §10.2.3: seconds, or a date as in §5.6.7. Other text gives undefined. */
function readRetryAfter(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined || !/^\d+$|^[A-Z][a-z]+, .* GMT$/.test(text)) return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.min(MAX_RETRY_AFTER_MS, Math.max(0, ms));
}
