// The secret of an OAuth client: how it is read from a store, and how HTTP Basic carries it.
import { withDeadline } from '../net/deadline.ts';
import { readSecret } from './read.ts';
import type { SecretReference, SecretStore } from './store.ts';

/** Reads the secret of a client, a text without the line end of its file. */
export async function readClientSecret(
  store: SecretStore,
  reference: SecretReference,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<string> {
  const bytes = await withDeadline(timeoutMs, signal, (inner) => readSecret(store, reference, inner));
  return Buffer.from(bytes)
    .toString('utf8')
    .replace(/\r?\n$/, '');
}

/** `Authorization` of a client by HTTP Basic, both parts form-encoded: RFC 6749 §2.3.1. */
export function basicAuthorization(id: string, secret: string): string {
  return `Basic ${Buffer.from(`${formEncode(id)}:${formEncode(secret)}`).toString('base64')}`;
}

function formEncode(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1);
}
