// Holds back a reply that is written to Node's response, by whichever of its methods, until the
// reply is checked and its fields are signed. The signing itself is elsewhere.
import { type ServerResponse, STATUS_CODES } from 'node:http';
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
 * What the wrapped methods do: hold the reply back, wait for the signature, pass a reply of JSON
 * on, or pass all calls on.
 */
type State = 'holding' | 'signing' | 'released' | 'open';

/** A reply that is held back. */
export interface HeldReply {
  /** The response itself was written to, bypassing the framework. */
  isBegun(): boolean;
  /**
   * Lets what is written from now on pass unchanged. For a framework whose own reply is signed
   * before it is written. A 2xx of another type than JSON is still refused, because that is not the
   * reply that was signed: it may be a page or events made from its values.
   */
  release(): void;
}

/**
 * Holds a reply back until it has ended, and sends the result of `sign`, or the reply itself if
 * there is no result. If another reply begins before the first has ended, because a handler failed
 * midway, the held part is dropped. The other reply is then sent without its body, since the
 * handler may still be writing. When `fail` is called, nothing has been sent, and the framework may
 * answer with an error, which is held too. If that cannot be sent either, or without `fail`, the
 * answer is an empty 500. Trailers are not sent.
 */
export function holdReply(
  response: ServerResponse,
  sign: (reply: OutgoingReply) => Promise<SignedReply | undefined>,
  fail?: (error: Error) => void,
): HeldReply {
  // The answer to a HEAD request has no body. Only this private member tells, because middleware
  // may change `response.req.method`.
  if (Reflect.get(response, '_hasBody') === false) return { isBegun: () => false, release: () => {} };
  const { writeHead, flushHeaders, write, end } = response;
  const own = { writeHead, flushHeaders, write, end } as const;
  let state: State = 'holding';
  let chunks: Buffer[] = [];
  let size = 0;
  /** The head at the time when Node would have sent it: later changes would have had no effect. */
  let head: Head | undefined;
  /** A held part has been dropped, but the handler may still be writing it. */
  let isDropped = false;
  /** Later writes may belong to either reply, so only a status is sent, without a body. */
  let isBare = false;
  let hasTrailers = false;
  let hasFailed = false;

  const wrapped = {
    writeHead(status: number, ...rest: unknown[]) {
      if (state === 'open') return isOver() ? response : handOn('writeHead', [status, ...rest]);
      if (state === 'signing') return response;
      // Node throws for an invalid status.
      if (!(status >= 100 && status <= 999)) return handOn('writeHead', [status, ...rest]);
      response.statusCode = status;
      if (typeof rest[0] === 'string') response.statusMessage = rest[0];
      const headers = rest.findLast((value) => typeof value === 'object' && value !== null);
      setHeaders(response, headers);
      if (state === 'released') return response;
      if (isBegunAnew()) drop();
      head = headOf(response);
      return response;
    },
    flushHeaders() {
      if (state === 'released') begin(undefined);
      if (state === 'open') handOn('flushHeaders', []);
      if (state !== 'holding') return;
      const flushed = headOf(response);
      if (isSuccess(flushed) && isUnreadable(flushed)) giveUp(notJson(), true);
    },
    write(...given: unknown[]) {
      if (state === 'released') begin(given[0]);
      if (state === 'open') return isOver() ? swallow(given) : handOn('write', given);
      if (state === 'signing' || isBare || !hold(given[0], given[1], false)) return swallow(given);
      callBack(given);
      return true;
    },
    end(...given: unknown[]) {
      if (state === 'released') begin(given[0]);
      if (state === 'signing' || isOver()) {
        swallow(given);
        return response;
      }
      if (state === 'open') return handOn('end', given);
      // Node calls it when a reply has been sent, whichever reply that is.
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

  /** A released reply begins. */
  function begin(chunk: unknown): void {
    const now = headOf(response);
    state = 'open';
    // Frameworks send the name of a status for a reply without a body.
    if (isSuccess(now) && isUnreadable(now) && String(chunk) !== STATUS_CODES[now.status])
      giveUp(notJson(), true);
  }

  /** Another reply has been sent, while the dropped one is still being written. */
  function isOver(): boolean {
    return isDropped && response.writableEnded;
  }

  /**
   * The handler started a second reply (other status, type or length), so the first one has failed.
   * Node would throw.
   */
  function isBegunAnew(): boolean {
    if (head === undefined || chunks.length === 0) return false;
    const { status, headers } = head;
    const isOther = (name: string) => String(headers.get(name)?.value) !== String(response.getHeader(name));
    return status !== response.statusCode || isOther('content-type') || isOther('content-length');
  }

  /** Drops the held part, and those of its headers that were not set again. */
  function drop(): void {
    if (head === undefined) return;
    for (const [name, { value }] of head.headers)
      if (OF_ITS_BYTES.test(name) && response.getHeader(name) === value) response.removeHeader(name);
    const isCompressed = (head.headers.get('content-encoding')?.value ?? 'identity') !== 'identity';
    isBare ||= chunks.length > 0;
    isDropped ||= isCompressed || isBare;
    forget();
    // A compression wrapper may still have some of the dropped bytes, and would send them with the
    // next reply.
    if (isCompressed) refuse();
  }

  function forget(): void {
    chunks = [];
    size = 0;
    head = undefined;
  }

  /** @returns false if the reply has been given up */
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
    // An event stream never ends, so it cannot be held.
    const isTooLong = size > MAX_REPLY_BYTES;
    if (!isTooLong && (isLast || !isUnreadable(head))) return true;
    // Later writes of the handler are ignored.
    if (isSuccess(head)) giveUp(isTooLong ? tooLong() : notJson(), true);
    else isBare = true;
    return isBare && !hasFailed;
  }

  /**
   * Writes that are not sent succeed silently, but still emit `drain` asynchronously, as Node does.
   */
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
      if (isSuccess(held) && isBare)
        throw new Error('signResponse: a second reply began before the first had ended');
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
      // Node does not add the length if it was removed before.
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

  /** @param isMidway the dropped reply has not ended */
  function giveUp(error: unknown, isMidway: boolean): void {
    const isFirst = !hasFailed;
    state = 'holding';
    isDropped = true;
    isBare ||= isMidway;
    hasFailed = true;
    forget();
    // A wrapper such as a compressor has seen the end of the reply, and may let nothing else pass:
    // replace its methods.
    Object.assign(response, wrapped);
    try {
      // The head was sent already, or a wrapper around this one sent part of the reply.
      if (hasLeft()) response.destroy();
      else clear(response);
      if (isFirst && fail !== undefined) fail(asError(error));
      else refuse();
    } catch {
      response.destroy();
    }
  }

  /** Sends an empty 500, when no other answer can be sent. */
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
  // True once the signing has begun, so that no code answers again. Before that another answer is
  // allowed, because nothing has been sent.
  Object.defineProperty(response, 'headersSent', {
    configurable: true,
    get: () => state === 'signing' || hasLeft(),
  });
  return {
    isBegun: () => head !== undefined || isDropped || state !== 'holding',
    release: () => {
      if (state !== 'holding' || hasFailed) return;
      forget();
      state = 'released';
    },
  };
}

function isSuccess({ status }: Head): boolean {
  return status >= 200 && status <= 299;
}

/** True if the reply declares a type other than JSON, so there is no need to wait for its end. */
function isUnreadable({ headers }: Head): boolean {
  const type = headers.get('content-type')?.value;
  return type !== undefined && !isJsonType(type);
}

function callbackOf(values: readonly unknown[]): (() => void) | undefined {
  return values.find((value): value is () => void => typeof value === 'function');
}

/** Calls the callback of a write asynchronously, as Node does. */
function callBack(values: readonly unknown[]): void {
  const callback = callbackOf(values);
  if (callback !== undefined) setImmediate(callback);
}
