// What Nest prints for refused requests: nothing by default, by its own logger, on both platforms.
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import { Controller, Get, type INestApplication, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { LatchkeyModule, type LatchkeyOptions, RequireClaims } from '../src/index.ts';
import { moduleOf, onMethod } from './application.ts';

let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await createIssuer();
});
afterAll(() => issuer.close());
afterEach(() => vi.restoreAllMocks());

class OrdersController {
  list() {
    return [];
  }
}
Controller()(OrdersController);
onMethod(OrdersController, 'list', RequireClaims({ scope: 'admin' }), Get());

const serviceOf = (options: LatchkeyOptions) =>
  moduleOf({ imports: [LatchkeyModule.forRoot(options)], controllers: [OrdersController] });

/** The status of a request, and what was printed between the start and the answer. */
async function ask(app: INestApplication, token?: string) {
  await app.listen(0, '127.0.0.1');
  const written: unknown[] = [];
  const write = (text: unknown) => written.push(text) > 0;
  vi.spyOn(process.stdout, 'write').mockImplementation(write);
  vi.spyOn(process.stderr, 'write').mockImplementation(write);
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const { status } = await fetch(await app.getUrl(), { headers });
  const printed = [...written];
  await app.close();
  vi.restoreAllMocks();
  return { status, printed };
}

describe.each<[string, (module: Type) => Promise<INestApplication>]>([
  ['Express', (module) => NestFactory.create(module)],
  ['Fastify', (module) => NestFactory.create(module, new FastifyAdapter())],
])('Nest on %s', (_, create) => {
  it('prints nothing for a refusal', async () => {
    expect(await ask(await create(serviceOf(issuer.options)))).toEqual({ status: 401, printed: [] });
    const token = await issuer.mint();
    expect(await ask(await create(serviceOf(issuer.options)), token)).toEqual({ status: 403, printed: [] });
  });

  it('prints nothing for an outage of the issuer', async () => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const keySets = [{ jwksUrl: 'http://127.0.0.1:1/', allowHttp: true }];
    const app = await create(serviceOf({ ...issuer.options, keySets }));
    expect(await ask(app, await issuer.mint())).toEqual({ status: 503, printed: [] });
  });
});
