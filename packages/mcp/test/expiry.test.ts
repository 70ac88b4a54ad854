// Streams end when the token of their caller expires: of GET and POST, of both versions of the SDK,
// and web-standard ones. The clock is a fake one.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Authenticator, createAuthenticator, type Principal } from '@latchkey/core';
import { authenticate } from '@latchkey/express';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import express from 'express';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { endAtExpiry, endedAtExpiry, withAuthInfo } from '../src/index.ts';
import { listen, makeV1, makeV2, message, post, whenDone } from './servers.ts';

let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await createIssuer();
});
afterAll(() => issuer.close());

// Only the timers of whenExpired: sockets keep theirs.
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] }));
afterEach(() => void vi.useRealTimers());

const seconds = () => Math.floor(Date.now() / 1000);
const mint = (aud: string, exp: number | undefined = seconds() + 60) =>
  issuer.mint({ aud, sub: 'alice', exp });
const expire = () => vi.advanceTimersByTimeAsync(60_000);

describe.each(['v1', 'v2'] as const)('streams of %s', (version) => {
  /** A server whose tool `slow` answers when the test says so. */
  async function start() {
    const service = await listen(issuer);
    const { app, authenticator } = service;
    const called = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    const tool = async () => {
      called.resolve();
      await answer.promise;
      return { content: [{ type: 'text' as const, text: 'late' }] };
    };
    app.use('/mcp', authenticate(authenticator), express.json(), async (request, response) => {
      response.on('close', closed.resolve);
      endAtExpiry(response, (request as { readonly auth?: Principal }).auth);
      if (version === 'v1') {
        const transport = new StreamableHTTPServerTransport();
        const server = makeV1();
        server.registerTool('slow', {}, tool);
        await server.connect(transport as never);
        await transport.handleRequest(withAuthInfo(request), response, request.body);
      } else {
        const transport = new NodeStreamableHTTPServerTransport();
        const server = makeV2();
        server.registerTool('slow', {}, tool);
        await server.connect(transport);
        await transport.handleRequest(withAuthInfo(request), response, request.body);
      }
    });
    return { ...service, called: called.promise, answer: answer.resolve, closed: closed.promise };
  }

  it('of GET ends with the token', async () => {
    const { url, closed } = await start();
    const headers = { authorization: `Bearer ${await mint(url)}`, accept: 'text/event-stream' };
    const stream = await fetch(url, { headers });
    expect(stream.headers.get('content-type')).toContain('text/event-stream');
    await expire();
    expect(await stream.text()).not.toContain('data: {');
    await closed;
  });

  it('of POST ends with the token, without the result', async () => {
    const { url, called, answer, closed } = await start();
    const stream = await post(url, await mint(url), message('tools/call', { name: 'slow' }));
    await called;
    await expire();
    expect(await stream.text()).not.toContain('late');
    await closed;
    // What the tool returns then harms nothing.
    answer();
  });

  it('has the result of a tool that is in time', async () => {
    const { url, called, answer, closed } = await start();
    const stream = await post(url, await mint(url), message('tools/call', { name: 'slow' }));
    await called;
    answer();
    expect(await stream.text()).toContain('late');
    await closed;
  });
});

describe('endAtExpiry', () => {
  async function serve(handle: (response: ServerResponse) => void): Promise<string> {
    const server = createServer((_request, response) => handle(response)).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    whenDone(() => {
      server.closeAllConnections();
      server.close();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  const stream = { 'content-type': 'text/event-stream' };

  async function principal(exp?: number): Promise<Principal> {
    const authenticator: Authenticator = createAuthenticator({
      keySets: issuer.options.keySets,
      audience: null,
    });
    whenDone(() => authenticator.close());
    return authenticator.verify(await mint('any', exp));
  }

  it('ends a stream that begins after the token has expired at its first event', async () => {
    const caller = await principal();
    const begun = Promise.withResolvers<ServerResponse>();
    const url = await serve((response) => {
      endAtExpiry(response, caller);
      begun.resolve(response);
    });
    const asked = fetch(url);
    const response = await begun.promise;
    await expire();
    response.writeHead(200, stream).write('data: too late\n\n');
    expect(await (await asked).text()).toBe('');
  });

  it('leaves an answer alone that is not a stream', async () => {
    const caller = await principal();
    const begun = Promise.withResolvers<ServerResponse>();
    const url = await serve((response) => {
      endAtExpiry(response, caller);
      begun.resolve(response);
    });
    const asked = fetch(url);
    const response = await begun.promise;
    await expire();
    response.writeHead(200, { 'content-type': 'application/json' });
    response.write('{"late":');
    response.end('true}');
    expect(await (await asked).json()).toEqual({ late: true });
  });

  it('cancels its timer when the response has closed', async () => {
    const caller = await principal();
    const counts: number[] = [];
    const closed = Promise.withResolvers<void>();
    const url = await serve((response) => {
      counts.push(vi.getTimerCount());
      endAtExpiry(response, caller);
      counts.push(vi.getTimerCount());
      response.on('close', closed.resolve);
      response.end();
    });
    await (await fetch(url)).text();
    await closed.promise;
    const [before = 0, during] = counts;
    expect([during, vi.getTimerCount()]).toEqual([before + 1, before]);
  });

  it('ends nothing for an anonymous caller', async () => {
    const begun = Promise.withResolvers<ServerResponse>();
    const url = await serve((response) => {
      endAtExpiry(response, undefined);
      begun.resolve(response);
    });
    const asked = fetch(url);
    const response = await begun.promise;
    response.writeHead(200, stream).write('data: 1\n\n');
    await expire();
    response.end('data: 2\n\n');
    expect(await (await asked).text()).toContain('data: 2');
  });

  it('ends web-standard streams, and no other responses', async () => {
    const caller = await principal();
    const json = Response.json({});
    expect(endedAtExpiry(json, caller)).toBe(json);
    const none = new Response(null, { headers: stream });
    expect(endedAtExpiry(none, caller)).toBe(none);
    const cancelled = Promise.withResolvers<void>();
    const open = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode('data: 1\n\n')),
      cancel: () => cancelled.resolve(),
    });
    const answer = endedAtExpiry(new Response(open, { status: 202, headers: stream }), caller);
    expect({ status: answer.status, type: answer.headers.get('content-type') }).toEqual({
      status: 202,
      type: 'text/event-stream',
    });
    await expire();
    expect(await answer.text()).toBe('data: 1\n\n');
    await cancelled.promise;
  });

  it('passes web-standard streams on as they are until then, and cancels its timer', async () => {
    const caller = await principal();
    const before = vi.getTimerCount();
    const whole = endedAtExpiry(new Response('data: 1\n\n', { headers: stream }), caller);
    expect(await whole.text()).toBe('data: 1\n\n');
    const left = endedAtExpiry(new Response(new ReadableStream(), { headers: stream }), caller);
    expect(vi.getTimerCount()).toBe(before + 1);
    await left.body?.cancel();
    expect(vi.getTimerCount()).toBe(before);
  });

  it('a web-standard stream that fails ends nothing later', async () => {
    const caller = await principal();
    const before = vi.getTimerCount();
    const broken = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.error(new Error('gone')),
    });
    const answer = endedAtExpiry(new Response(broken, { headers: stream }), caller);
    await expect(answer.text()).rejects.toThrow('gone');
    expect(vi.getTimerCount()).toBe(before);
    // The close of a stream that has failed would throw in a timer, and end the process.
    await expire();
  });
});
