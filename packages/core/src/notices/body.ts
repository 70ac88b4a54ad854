// Finds the token in the body of a request. The body was read, or parsed, by an adapter.
import { isUtf8 } from 'node:buffer';
import { isPlainObject } from '../values/readers.ts';

/** What a request was sent with. */
export interface EventRequest {
  /** The header Content-Type. */
  readonly contentType: string | undefined;
  /** The bytes, the text, or the members of a form that a framework has parsed. */
  readonly body: unknown;
}

/** A token, and how it came. */
export interface FoundToken {
  readonly kind: 'logout' | 'event' | 'unknown';
  /** Undefined: the body is not one of its kind. */
  readonly token: string | undefined;
}

/** Finds the token. */
export function findToken({ contentType = '', body }: EventRequest): FoundToken {
  const [type = ''] = contentType.split(';');
  switch (type.trim().toLowerCase()) {
    case 'application/x-www-form-urlencoded':
      return { kind: 'logout', token: inForm(body) };
    case 'application/secevent+jwt':
      return { kind: 'event', token: textOf(body)?.trim() };
    default:
      return { kind: 'unknown', token: undefined };
  }
}

/** A form may have other fields; one of them is the token, once. */
function inForm(body: unknown): string | undefined {
  const text = textOf(body);
  if (text !== undefined) {
    const all = new URLSearchParams(text).getAll('logout_token');
    return all.length === 1 ? all[0] : undefined;
  }
  // Parsers make a list of a field that is there twice. Some make objects without a prototype.
  if (!isPlainObject(body) || !Object.hasOwn(body, 'logout_token')) return undefined;
  return typeof body.logout_token === 'string' ? body.logout_token : undefined;
}

function textOf(body: unknown): string | undefined {
  if (typeof body === 'string') return body;
  return body instanceof Uint8Array && isUtf8(body) ? Buffer.from(body).toString('utf8') : undefined;
}
