// The bodies of requests: a bound, and a deadline.
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import { nodeEventAnswerer, readNodeBody, readWebBody } from '../../src/adapter/receive-events.ts';
import type { EventReceiver } from '../../src/notices/receiver.ts';
import { createBench } from './bench.ts';

const LIMIT = 10;
const request = (body: string | ReadableStream) =>
  new Request('http://localhost/', { method: 'POST', body, duplex: 'half' } as RequestInit);

describe('a body', () => {
  it.each([
    ['12345', '12345'],
    ['1234567890', '1234567890'],
    ['12345678901', undefined],
  ])('%s is read up to the limit', async (text, expected) => {
    const chunks = [text.slice(0, 4), text.slice(4)];
    const ofNode = await readNodeBody(Readable.from(chunks, { objectMode: false }), LIMIT, 'parsed');
    const ofWeb = await readWebBody(request(text), LIMIT);
    expect([ofNode, ofWeb].map((body) => (body === undefined ? undefined : String(body)))).toEqual([
      expected,
      expected,
    ]);
  });

  it('that was read is what its parser has made of it', async () => {
    const read = Readable.from(['x']);
    await read.toArray();
    expect(await readNodeBody(read, LIMIT, { a: 1 })).toEqual({ a: 1 });
    const asked = request('x');
    await asked.text();
    expect(await readWebBody(asked, LIMIT)).toBeUndefined();
  });

  it('that breaks off is none', async () => {
    const broken = new Readable({ read() {} });
    const body = readNodeBody(broken, LIMIT, undefined);
    broken.push('x');
    broken.destroy(new Error('reset'));
    expect(await body).toBeUndefined();
  });

  it('a body that does not come is none, after 10 s', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const cancelled = vi.fn();
    const bodies = Promise.all([
      readNodeBody(new Readable({ read() {} }), LIMIT, undefined),
      readWebBody(request(new ReadableStream({ cancel: cancelled })), LIMIT),
    ]);
    await vi.advanceTimersByTimeAsync(10_000);
    vi.useRealTimers();
    expect(await bodies).toEqual([undefined, undefined]);
    expect(cancelled).toHaveBeenCalledOnce();
  });
});

describe('the answer to a request of Node', () => {
  it.each<[title: string, httpVersionMajor: number, connection: string | undefined]>([
    ['whose body is too long ends the connection', 1, 'close'],
    ['of HTTP/2 does not', 2, undefined],
  ])('%s', async (_, httpVersionMajor, connection) => {
    const { receiver } = await createBench();
    const long = new Readable({ read() {} });
    long.push('x'.repeat(receiver.maxBodyBytes + 1));
    const { status, headers } = await answerTo(receiver, long, httpVersionMajor);
    expect([status, headers.Connection]).toEqual([400, connection]);
  });

  it('whose body does not come ends the connection, after 10 s', async () => {
    const { receiver } = await createBench();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const answer = answerTo(receiver, new Readable({ read() {} }));
    await vi.advanceTimersByTimeAsync(10_000);
    vi.useRealTimers();
    expect(await answer).toMatchObject({ status: 400, headers: { Connection: 'close' } });
  });

  it('whose body was read keeps the connection', async () => {
    const { receiver } = await createBench();
    const { status, headers } = await answerTo(receiver, Readable.from(['x']));
    expect([status, headers.Connection]).toEqual([400, undefined]);
  });
});

/** A POST with a body. */
function answerTo(receiver: EventReceiver, body: Readable, httpVersionMajor = 1) {
  const headers = { 'content-type': 'application/secevent+jwt' };
  const asked = Object.assign(body, { method: 'POST', headers, httpVersionMajor });
  return nodeEventAnswerer(receiver)(asked as unknown as IncomingMessage, undefined);
}
