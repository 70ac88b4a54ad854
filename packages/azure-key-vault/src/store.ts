// Reads secrets of one vault through the official SDK. Keeps nothing, tries once, and tells nothing of what the vault answered.
import type { TokenCredential } from '@azure/core-auth';
import { isRestError } from '@azure/core-rest-pipeline';
import { type KeyVaultSecret, SecretClient } from '@azure/keyvault-secrets';
import type { SecretStore } from '@latchkey/core';
import { type AzureKeyVaultStoreOptions, readOptions, type Settings, type VaultObject } from './options.ts';

const DEADLINE_MS = 5_000;
const MAX_RETRY_AFTER_MS = 3_600_000;

/** What is looked at of an answer that is no secret. The SDK's error does not say it when the body is empty. */
interface Answer {
  readonly status: number;
  readonly headers: { get(name: string): string | undefined };
}

/** What a status is likely to mean. Constants, like all messages here: an answer's own words may hold anything. */
const HINTS: { readonly [status: number]: string } = {
  401: ': the token was not accepted',
  403: ': the identity may not read this secret, the vault does not admit this network, or the secret is disabled',
  404: ', but not for want of the secret: is vaultUrl a vault?',
};

/**
 * Makes a store over one Azure Key Vault. A read asks the vault anew and tries once; it gives the UTF-8 bytes of the secret's
 * value, or undefined if the vault says SecretNotFound. It does not cache, retry, follow redirects or watch: the refresh of a
 * keyset does the first two.
 *
 * A read rejects for every other status (for 429 and 503 with `retryAfterMs`, milliseconds, at most 1 h, if the vault sent a
 * Retry-After that can be read), for a secret that is empty, disabled, expired or not valid yet, when the credential gives no
 * token, when its signal is aborted, and after 5 s in any case. No error holds a secret, a token or words of an answer.
 * @throws ConfigError
 */
export function createAzureKeyVaultStore(options: AzureKeyVaultStoreOptions): SecretStore {
  const settings = readOptions(options);
  return Object.freeze<SecretStore>({
    description: 'azure-key-vault',
    async read(reference, signal) {
      signal.throwIfAborted();
      const object = settings.locate(reference);
      const stopping = new AbortController();
      const stop = () => stopping.abort(signal.reason);
      const late = () => stopping.abort(new Error(`Azure Key Vault gave no answer within ${DEADLINE_MS} ms`));
      const timer = setTimeout(late, DEADLINE_MS);
      signal.addEventListener('abort', stop);
      try {
        // Neither every credential nor every broken answer ends with the signal. The waiting does.
        return await Promise.race([
          whenAborted(stopping.signal),
          readSecret(settings, object, stopping.signal),
        ]);
      } finally {
        clearTimeout(timer);
        signal.removeEventListener('abort', stop);
      }
    },
  });
}

function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
  });
}

async function readSecret(
  { vaultUrl, credential, clientOptions }: Settings,
  { secretName, version = '' }: VaultObject,
  abortSignal: AbortSignal,
): Promise<Uint8Array | undefined> {
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
  let secret: KeyVaultSecret;
  try {
    // A client for each read, so that nothing outlives it. One for all reads asks for its next token in the background, for
    // minutes if that fails, and with @azure/keyvault-common 2.1.0 such a failure is an unhandled rejection.
    const client = new SecretClient(vaultUrl, watched, {
      ...clientOptions,
      retryOptions: { maxRetries: 0 },
      redirectOptions: { maxRetries: 0 },
    });
    const onResponse = (response: Answer) => {
      answer = response;
    };
    secret = await client.getSecret(secretName, { version, abortSignal, onResponse });
  } catch (error) {
    if (unauthenticated) throw new Error('the credential gave no token for Azure Key Vault');
    const code = isRestError(error) ? error.code : undefined;
    if (answer?.status === 404 && code === 'SecretNotFound') return undefined;
    throw answer === undefined ? unanswered(code) : refused(answer);
  }
  return bytesOf(secret);
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

// Errors of our own. The SDK's are not even a cause: they hold answers, and a body that cannot be parsed stands in their message.

function unanswered(code: string | undefined): Error {
  // Node's code, such as ECONNREFUSED or SELF_SIGNED_CERT_IN_CHAIN. Whatever else it might be is not repeated.
  const known = code !== undefined && /^[A-Z][A-Z0-9_]+$/.test(code) ? `: ${code}` : '';
  return new Error(`Azure Key Vault gave no answer${known}`);
}

function refused({ status, headers }: Answer): Error {
  if (status === 200) return new Error('Azure Key Vault gave an answer that cannot be read');
  const error = new Error(`Azure Key Vault answered with status ${status}${HINTS[status] ?? ''}`);
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
