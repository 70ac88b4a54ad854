// A message as it is sent. What comes in a body is nobody's but the sender's word.

/** A text for a friend, and the token that says that they are one. */
export interface Message {
  readonly friendToken: string;
  readonly text: string;
}

/**
 * Reads a body.
 * @returns undefined if it is no message: text of 1 to 1000 characters, and a friend token
 */
export function readMessage(body: unknown): Message | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const { friendToken, text } = body as { friendToken?: unknown; text?: unknown };
  if (typeof friendToken !== 'string' || typeof text !== 'string') return undefined;
  return text.length >= 1 && text.length <= 1000 ? { friendToken, text } : undefined;
}
