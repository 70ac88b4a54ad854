// Reads a message from a request body. It checks only the shape; the friend token is not verified
// here.

/** A text for a friend, and the friend token. */
export interface Message {
  readonly friendToken: string;
  readonly text: string;
}

/**
 * Reads a body.
 * @returns undefined unless the body has a text of 1 to 1000 characters and a friend token
 */
export function readMessage(body: unknown): Message | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const { friendToken, text } = body as { friendToken?: unknown; text?: unknown };
  if (typeof friendToken !== 'string' || typeof text !== 'string') return undefined;
  return text.length >= 1 && text.length <= 1000 ? { friendToken, text } : undefined;
}
