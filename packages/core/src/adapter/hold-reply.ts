// Holding back a reply that is written straight to Node's response, however it is written, until its fields are signed.
import type { ServerResponse } from 'node:http';
import { asError } from '../errors.ts';
import { MAX_REPLY_BYTES, type OutgoingReply, type SignedReply, tooLong } from '../signing/response.ts';
import { clear, type Head, headOf, OF_ITS_BYTES, restore, setHeaders } from './head.ts';

/** What the wrapped methods do: hold a reply back, let one pass that is no 2xx, wait for a signing, or hand on what came of it. */
type State = 'holding' | 'passing' | 'signing' | 'open';

/**
 * Holds a reply back until it has ended, and lets go of what `sign` makes of it, or of the reply itself where that makes nothing. A reply
 * that is no 2xx passes as it is written, and what was held before it is dropped: a handler that failed midway. Nothing has left when
 * `fail` is called, and the framework may answer with an error. A 2xx that comes after it is held again, and a bare 500 if that cannot
 * be signed either.
 */
export function holdReply(
  response: ServerResponse,
  sign: (reply: OutgoingReply) => Promise<SignedReply | undefined>,
  fail: (error: Error) => void,
): void {
  // The answer to a HEAD has no body. Nothing public says so: middleware may change `response.req.method`.
  if (Reflect.get(response, '_hasBody') === false) return;
  const { writeHead, flushHeaders, write, end } = response;
  const own = { writeHead, flushHeaders, write, end } as const;
  let state: State = 'holding';
  let chunks: Buffer[] = [];
  let size = 0;
  /** The head as it was when it would have left: what is set afterwards would not have counted. */
  let head: Head | undefined;
  /** Something that was held does not leave: whoever wrote it may write on. */
  let isDropped = false;
  let isTooLong = false;
  let hasFailed = false;

  const wrapped = {
    writeHead(status: number, ...rest: unknown[]) {
      const isPassing = passes(status);
      if (isPassing ? isOver() : state === 'signing') return response;
      if (isPassing) return handOn('writeHead', [status, ...rest]);
      response.statusCode = status;
      if (typeof rest[0] === 'string') response.statusMessage = rest[0];
      const headers = rest.findLast((value) => typeof value === 'object' && value !== null);
      setHeaders(response, headers);
      if (isBegunAnew()) drop();
      head = headOf(response);
      return response;
    },
    flushHeaders() {
      if (passes()) handOn('flushHeaders', []);
    },
    write(...given: unknown[]) {
      const isPassing = passes();
      if (isPassing ? isOver() : state === 'signing' || isTooLong) return swallow(given);
      if (isPassing) return handOn('write', given);
      if (!hold(given[0], given[1])) return swallow(given);
      callBack(given);
      return true;
    },
    end(...given: unknown[]) {
      const isPassing = passes();
      if (isPassing ? isOver() : state === 'signing') {
        swallow(given);
        return response;
      }
      if (isPassing) return handOn('end', given);
      // As Node calls it: when a reply has been sent, whichever that is.
      const callback = callbackOf(given);
      if (callback !== undefined) response.once('finish', callback);
      if (isTooLong) refuse();
      else if (hold(typeof given[0] === 'function' ? undefined : given[0], given[1])) void finish();
      return response;
    },
  };

  function handOn(name: keyof typeof own, given: readonly unknown[]): unknown {
    return Reflect.apply(own[name], response, given);
  }

  function hasLeft(): boolean {
    return Reflect.get(Object.getPrototypeOf(response), 'headersSent', response);
  }

  /** A refusal or a redirect has nothing to be signed, and may be a stream. */
  function passes(status = response.statusCode): boolean {
    if (state === 'signing') return false;
    // Until its head has left, Node may refuse it: what is answered then is another reply.
    if (state === 'open' || (state === 'passing' && hasLeft())) return true;
    state = status >= 200 && status <= 299 ? 'holding' : 'passing';
    if (state === 'passing') drop();
    return state !== 'holding';
  }

  /** Another has answered, and what was dropped is still being written. */
  function isOver(): boolean {
    return isDropped && response.writableEnded;
  }

  /** Of what was held, another reply says something else: whoever began it has failed. Node would refuse that. */
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
    isDropped ||= isCompressed || chunks.length > 0;
    forget();
    // What compresses behind may still have some of it, and would send it along.
    if (isCompressed) refuse();
  }

  function forget(): void {
    chunks = [];
    size = 0;
    head = undefined;
  }

  /** @returns false for what does not leave: it has been given up */
  function hold(chunk: unknown, encoding: unknown): boolean {
    if (isBegunAnew()) drop();
    if (state === 'open') return false;
    head ??= headOf(response);
    if (!chunk) return true;
    const bytes =
      chunk instanceof Uint8Array
        ? Buffer.from(chunk)
        : Buffer.from(chunk as string, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8');
    size += bytes.length;
    chunks.push(bytes);
    if (size <= MAX_REPLY_BYTES) return true;
    // Whoever writes on is not listened to any more: only an error may still be answered with.
    isTooLong = true;
    giveUp(tooLong());
    return false;
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
    const { status, headers } = held;
    forget();
    try {
      const signed = await sign({
        status,
        body,
        getHeader: (name) => headers.get(name.toLowerCase())?.value,
        setHeader: (name, value) => headers.set(name.toLowerCase(), { name, value }),
        removeHeader: (name) => headers.delete(name.toLowerCase()),
      });
      const left = signed?.body ?? body;
      if (signed !== undefined) {
        headers.delete('transfer-encoding');
        headers.set('content-length', { name: 'Content-Length', value: Buffer.byteLength(left) });
      }
      restore(response, held);
      state = 'open';
      handOn('end', left.length === 0 ? [] : [left]);
    } catch (error) {
      giveUp(error);
    }
  }

  function giveUp(error: unknown): void {
    const isFirst = !hasFailed;
    state = 'holding';
    isDropped = true;
    hasFailed = true;
    forget();
    // Who wrapped the response behind has seen his end, and might let no other pass: what compresses.
    Object.assign(response, wrapped);
    try {
      // Half a reply: a head that left before, or what a wrapper around this made of it.
      if (hasLeft()) response.destroy();
      else clear(response);
      if (isFirst) fail(asError(error));
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
  // So that nobody answers what has been answered. Until then anybody may: nothing has left.
  Object.defineProperty(response, 'headersSent', {
    configurable: true,
    get: () => state === 'signing' || hasLeft(),
  });
}

function callbackOf(values: readonly unknown[]): (() => void) | undefined {
  return values.find((value): value is () => void => typeof value === 'function');
}

/** Later, as Node does, and not before others have had their turn. */
function callBack(values: readonly unknown[]): void {
  const callback = callbackOf(values);
  if (callback !== undefined) setImmediate(callback);
}
