// Reads and writes secrets of one vault through the official SDK. Keeps nothing, tries once, and
// tells nothing of what the vault answered.
import { isUtf8 } from 'node:buffer';
import type { TokenCredential } from '@azure/core-auth';
import { isRestError } from '@azure/core-rest-pipeline';
import { type GetSecretOptions, type KeyVaultSecret, SecretClient } from '@azure/keyvault-secrets';
import type { SecretStore } from '@latchkey/core';
import { type AzureKeyVaultStoreOptions, readOptions, type Settings } from './options.ts';

const DEADLINE_MS = 5_000;
const MAX_RETRY_AFTER_MS = 3_600_000;

/**
 * What is looked at of an answer that is no secret. The SDK's error does not say it when the body
 * is empty.
 */
interface Answer {
  readonly status: number;
  readonly headers: { get(name: string): string | undefined };
}

/** What the vault is asked to do. */
interface Action {
  readonly name: 'read' | 'write';
  ask(
    client: SecretClient,
    options: Pick<GetSecretOptions, 'abortSignal' | 'onResponse'>,
  ): Promise<KeyVaultSecret>;
}

/**
 * What a status is likely to mean. Constants, like all messages here: an answer's own words may
 * hold anything.
 */
const HINTS: { readonly [status: number]: string | { readonly [name in Action['name']]?: string } } = {
  401: ': the token was not accepted',
  403: {
    read: ': the identity may not read this secret, the vault does not admit this network, or the secret is disabled',
    write: ': the identity may not write this secret, or the vault does not admit this network',
  },
  404: ', but not for want of the secret: is vaultUrl a vault?',
  409: { write: ': a deleted secret of this name can still be recovered, or somebody else is writing it' },
};

/**
 * Makes a store over one Azure Key Vault. A read asks the vault anew and tries once; it gives the
 * UTF-8 bytes of the secret's value, or undefined if the vault says SecretNotFound. It does not
 * cache, retry, follow redirects or watch: the refresh of a keyset does the first two.
 *
 * A read rejects for every other status (for 429 and 503 with `retryAfterMs`, milliseconds, at most
 * 1 h, if the vault sent a Retry-After that can be read), for a secret that is empty, disabled,
 * expired or not valid yet, when the credential gives no token, when its signal is aborted, and
 * after 5 s in any case. No error holds a secret, a token or words of an answer.
 *
 * A write makes a new version of the secret, which is the current one from then on; old versions
 * stay in the vault. It rejects as a read does, and for what would not be read: bytes that are no
 * UTF-8 text, none at all, and an entry that is pinned to a version. A write that was left without
 * an answer may have been made all the same.
 * @throws ConfigError
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
        throw new Error('the entry is pinned to a version, so a new one would not be read');
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
    // Neither every credential nor every broken answer ends with the signal. The waiting does.
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

/** @returns what the vault answered; undefined if there is no such secret to read */
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
    // A client for each call, so that nothing outlives it. One for all calls asks for its next
    // token in the background, for minutes if that fails, and with @azure/keyvault-common 2.1.0
    // such a failure is an unhandled rejection.
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

/** A vault keeps text, and what is empty would not be read. */
function textOf(value: Uint8Array): string {
  if (value.length === 0) throw new Error('the value is empty');
  if (!isUtf8(value)) throw new Error('the value is not UTF-8 text, and a vault keeps nothing else');
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8');
}

/** The vault gives out expired secrets and ones that are not valid yet. */
function bytesOf({ value, properties: { enabled, notBefore, expiresOn } }: KeyVaultSecret): Uint8Array {
  const nowMs = Date.now();
  // Said the way round that refuses what is no time, too: the SDK passes on what it was sent.
  if ((enabled ?? true) !== true) throw new Error('the secret is disabled');
  if (!(Number(notBefore ?? 0) <= nowMs)) throw new Error('the secret is not valid yet');
  if (!(Number(expiresOn ?? Number.POSITIVE_INFINITY) > nowMs)) throw new Error('the secret has expired');
  if (typeof value !== 'string' || value === '') throw new Error('the secret is empty');
  return Buffer.from(value, 'utf8');
}

// Errors of our own. The SDK's are not even a cause: they hold answers, and a body that cannot be
// parsed stands in their message.

function unanswered(code: string | undefined): Error {
  // Node's code, such as ECONNREFUSED or SELF_SIGNED_CERT_IN_CHAIN. Whatever else it might be is
  // not repeated.
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

/** RFC 9110 §10.2.3: seconds, or a date as in §5.6.7. Undefined if it is neither. */
function readRetryAfter(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined || !/^\d+$|^[A-Z][a-z]+, .* GMT$/.test(text)) return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.min(MAX_RETRY_AFTER_MS, Math.max(0, ms));
}
