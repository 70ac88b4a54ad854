// The span of a request has the outcome of its decision, also where the acceptance is told after
// the reply, and nothing of the token.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { authenticate } from '@latchkey/express';
import { createIssuer } from '@latchkey/testing';
import { context, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import express from 'express';
import { expect, it, onTestFinished } from 'vitest';
import { instrumentLatchkey } from '../src/index.ts';

it.each([true, false])('marks the span that is active at the decision: %j', async (spans) => {
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  const tracer = provider.getTracer('test');
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const instrumentation = instrumentLatchkey({ spans });
  const issuer = await createIssuer();
  const app = express();
  app.use(
    authenticate({
      keySets: [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }],
      audience: issuer.audience,
    }),
  );
  app.get('/', (_request, response) => void response.json({}));
  app.use(((_error, _request, response, _next) => response.status(401).end()) as express.ErrorRequestHandler);
  // As the instrumentation of HTTP does: the span ends with the connection.
  const ended: Promise<unknown>[] = [];
  const server = createServer((request, response) => {
    const span = tracer.startSpan('request', {}, ROOT_CONTEXT);
    ended.push(once(response, 'close').then(() => span.end()));
    context.with(trace.setSpan(ROOT_CONTEXT, span), () => app(request, response));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(async () => {
    instrumentation.stop();
    context.disable();
    await new Promise((resolve) => server.close(resolve));
    await provider.shutdown();
    await issuer.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const token = await issuer.mint({ sub: 'alice-5f1d7c' });
  await fetch(url, { headers: { authorization: `Bearer ${token}`, connection: 'close' } });
  await fetch(url, { headers: { connection: 'close' } });
  await Promise.all(ended);
  const marked = exporter.getFinishedSpans().map(({ attributes }) => attributes);
  expect(marked).toEqual(
    spans
      ? [
          { 'latchkey.outcome': 'accepted', 'latchkey.cached': false, 'latchkey.issuer': issuer.issuer },
          { 'latchkey.outcome': 'refused', 'latchkey.cached': false, 'latchkey.code': 'credentials_missing' },
        ]
      : [{}, {}],
  );
});
