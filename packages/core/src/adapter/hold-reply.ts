// Holding back a reply that is written straight to Node's response, however it is written, until it
// is judged and its fields are signed.
import type { ServerResponse } from 'node:http';
import { asError } from '../errors.ts';
import {
  isJsonType,
  MAX_REPLY_BYTES,
  notJson,
  type OutgoingReply,
  removeBody,
  type SignedReply,
  tooLong,
} from '../signing/reply-body.ts';
import { clear, type Head, headOf, OF_ITS_BYTES, restore, setHeaders } from './head.ts';

/**
 * What the wrapped methods do: hold a reply back, wait for a signing, or hand on what came of it.
 */
type State = 'holding' | 'signing' | 'open';

/** A reply that is held back. */
export interface HeldReply {
  /** Something was written to the response itself, past the framework. */
  isBegun(): boolean;
  /**
   * What is written from now on leaves as it is. For a framework whose own reply has been signed
   * before it is written.
   */
  release(): void;
}

/**
 * Holds a reply back until it has ended, and lets go of what `sign` makes of it, or of the reply
 * itself where that makes nothing. What was held is dropped when another reply begins before it has
 * ended: a handler that failed midway. The other one then leaves without its body, since the
 * handler may still be writing. Nothing has left when `fail` is called, and the framework may
 * answer with an error, which is held too. If that cannot leave either, or there is no `fail`, the
 * answer is a bare 500. Trailers do not leave.
 */
export function holdReply(
  response: ServerResponse,
  sign: (reply: OutgoingReply) => Promise<SignedReply | undefined>,
  fail?: (error: Error) => void,
): HeldReply {
  // The answer to a HEAD has no body. Nothing public says so: middleware may change
  // `response.req.method`.
  if (Reflect.get(response, '_hasBody') === false) return { isBegun: () => false, release: () => {} };
  const { writeHead, flushHeaders, write, end } = response;
  const own = { writeHead, flushHeaders, write, end } as const;
  let state: State = 'holding';
  let chunks: Buffer[] = [];
  let size = 0;
  /** The head as it was when it would have left: what is set afterwards would not have counted. */
  let head: Head | undefined;
  /** Something that was held does not leave: whoever wrote it may write on. */
  let isDropped = false;
  /**
   * Of what is still written, nobody can say which reply it is of: a status leaves, and no body.
   */
  let isBare = false;
  let hasTrailers = false;
  let hasFailed = false;

  const wrapped = {
    writeHead(status: number, ...rest: unknown[]) {
      if (state === 'open') return isOver() ? response : handOn('writeHead', [status, ...rest]);
      if (state === 'signing') return response;
      // Node throws for what is not a status.
      if (!(status >= 100 && status <= 999)) return handOn('writeHead', [status, ...rest]);
      response.statusCode = status;
      if (typeof rest[0] === 'string') response.statusMessage = rest[0];
      const headers = rest.findLast((value) => typeof value === 'object' && value !== null);
      setHeaders(response, headers);
      if (isBegunAnew()) drop();
      head = headOf(response);
      return response;
    },
    flushHeaders() {
      if (state === 'open') handOn('flushHeaders', []);
      if (state !== 'holding') return;
      const flushed = headOf(response);
      if (isSuccess(flushed) && isUnreadable(flushed)) giveUp(notJson(), true);
    },
    write(...given: unknown[]) {
      if (state === 'open') return isOver() ? swallow(given) : handOn('write', given);
      if (state === 'signing' || isBare || !hold(given[0], given[1], false)) return swallow(given);
      callBack(given);
      return true;
    },
    end(...given: unknown[]) {
      if (state === 'signing' || isOver()) {
        swallow(given);
        return response;
      }
      if (state === 'open') return handOn('end', given);
      // As Node calls it: when a reply has been sent, whichever that is.
      const callback = callbackOf(given);
      if (callback !== undefined) response.once('finish', callback);
      if (hold(typeof given[0] === 'function' ? undefined : given[0], given[1], true)) void finish();
      return response;
    },
  };

  function handOn(name: keyof typeof own, given: readonly unknown[]): unknown {
    return Reflect.apply(own[name], response, given);
  }

  function hasLeft(): boolean {
    return Reflect.get(Object.getPrototypeOf(response), 'headersSent', response);
  }

  /** Another has answered, and what was dropped is still being written. */
  function isOver(): boolean {
    return isDropped && response.writableEnded;
  }

  /**
   * Of what was held, another reply says something else: whoever began it has failed. Node would
   * refuse that.
   */
  function isBegunAnew(): boolean {
    if (head === undefined || chunks.length === 0) return false;
    const { status, headers } = head;
    const isOther = (name: string) => String(headers.get(name)?.value) !== String(response.getHeader(name));
    return status !== response.statusCode || isOther('content-type') || isOther('content-length');
  }

  /** Drops what is held, and of its head what nobody has set anew. */
  function drop(): void {
    if (head === undefined) return;
    for (const [name, { value }] of head.headers)
      if (OF_ITS_BYTES.test(name) && response.getHeader(name) === value) response.removeHeader(name);
    const isCompressed = (head.headers.get('content-encoding')?.value ?? 'identity') !== 'identity';
    isBare ||= chunks.length > 0;
    isDropped ||= isCompressed || isBare;
    forget();
    // What compresses behind may still have some of it, and would send it along.
    if (isCompressed) refuse();
  }

  function forget(): void {
    chunks = [];
    size = 0;
    head = undefined;
  }

  /** @returns false where the reply has been given up */
  function hold(chunk: unknown, encoding: unknown, isLast: boolean): boolean {
    if (isBegunAnew()) drop();
    if (state === 'open') return false;
    if (isBare) return true;
    head ??= headOf(response);
    if (!chunk) return true;
    const bytes =
      chunk instanceof Uint8Array
        ? Buffer.from(chunk)
        : Buffer.from(chunk as string, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8');
    size += bytes.length;
    chunks.push(bytes);
    // A stream of events never ends.
    const isTooLong = size > MAX_REPLY_BYTES;
    if (!isTooLong && (isLast || !isUnreadable(head))) return true;
    // Whoever writes on is not listened to any more.
    if (isSuccess(head)) giveUp(isTooLong ? tooLong() : notJson(), true);
    else isBare = true;
    return isBare && !hasFailed;
  }

  /** Nobody is to fail by what does not leave, nor to be faster than Node would let him. */
  function swallow(given: readonly unknown[]): false {
    callBack(given);
    setImmediate(() => response.emit('drain'));
    return false;
  }

  async function finish(): Promise<void> {
    state = 'signing';
    const body = Buffer.concat(chunks);
    const held = head ?? headOf(response);
    const { headers } = held;
    forget();
    try {
      if (isSuccess(held) && hasTrailers) throw new Error('signResponse: the reply has trailers');
      if (isSuccess(held) && isBare) throw new Error('signResponse: a reply began before another had ended');
      const reply: OutgoingReply = {
        status: held.status,
        body,
        getHeader: (name) => headers.get(name.toLowerCase())?.value,
        setHeader: (name, value) => headers.set(name.toLowerCase(), { name, value }),
        removeHeader: (name) => headers.delete(name.toLowerCase()),
      };
      const signed = isBare ? removeBody(reply) : await sign(reply);
      const left = signed?.body ?? body;
      if (signed !== undefined) headers.delete('transfer-encoding');
      // Node leaves the length out where one was removed.
      if (signed !== undefined && held.status !== 204 && held.status !== 304)
        headers.set('content-length', { name: 'Content-Length', value: Buffer.byteLength(left) });
      if (hasTrailers) headers.delete('trailer');
      restore(response, held);
      state = 'open';
      handOn('end', left.length === 0 ? [] : [left]);
    } catch (error) {
      giveUp(error, false);
    }
  }

  /** @param isMidway what is given up has not ended */
  function giveUp(error: unknown, isMidway: boolean): void {
    const isFirst = !hasFailed;
    state = 'holding';
    isDropped = true;
    isBare ||= isMidway;
    hasFailed = true;
    forget();
    // Who wrapped the response behind has seen his end, and might let no other pass: what
    // compresses.
    Object.assign(response, wrapped);
    try {
      // Half a reply: a head that left before, or what a wrapper around this made of it.
      if (hasLeft()) response.destroy();
      else clear(response);
      if (isFirst && fail !== undefined) fail(asError(error));
      else refuse();
    } catch {
      response.destroy();
    }
  }

  /** The answer where nobody has one that can be sent. */
  function refuse(): void {
    state = 'open';
    try {
      clear(response);
      response.statusCode = 500;
      handOn('end', []);
    } catch {
      response.destroy();
    }
  }

  Object.assign(response, wrapped);
  for (const name of ['addTrailers', 'setTrailer']) {
    const given: unknown = Reflect.get(response, name);
    if (typeof given === 'function')
      Reflect.set(response, name, (...trailers: unknown[]) => {
        if (state === 'open') Reflect.apply(given, response, trailers);
        else hasTrailers = true;
      });
  }
  // So that nobody answers what has been answered. Until then anybody may: nothing has left.
  Object.defineProperty(response, 'headersSent', {
    configurable: true,
    get: () => state === 'signing' || hasLeft(),
  });
  return {
    isBegun: () => head !== undefined || isDropped || state !== 'holding',
    release: () => {
      if (state !== 'holding' || hasFailed) return;
      forget();
      state = 'open';
    },
  };
}

function isSuccess({ status }: Head): boolean {
  return status >= 200 && status <= 299;
}

/** Declared as something that is not JSON: no need to wait for its end. */
function isUnreadable({ headers }: Head): boolean {
  const type = headers.get('content-type')?.value;
  return type !== undefined && !isJsonType(type);
}

function callbackOf(values: readonly unknown[]): (() => void) | undefined {
  return values.find((value): value is () => void => typeof value === 'function');
}

/** Later, as Node does, and not before others have had their turn. */
function callBack(values: readonly unknown[]): void {
  const callback = callbackOf(values);
  if (callback !== undefined) setImmediate(callback);
}
