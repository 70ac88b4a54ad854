// What the client of a microservice over TCP gets for a refusal: its code, and no detail.
import type { AddressInfo } from 'node:net';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import { Controller, type INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type ClientProxy, ClientProxyFactory, MessagePattern, Transport } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AuthError, LatchkeyModule, Public, RequireClaims } from '../src/index.ts';
import { moduleOf, onMethod } from './application.ts';

let issuer: TestIssuer;
let service: INestMicroservice;
let client: ClientProxy;

class Subject {
  plain() {
    return 'handled';
  }
  ruled() {
    return 'handled';
  }
  open() {
    return 'handled';
  }
  throwing() {
    throw new AuthError('token_expired', { detail: 'only for logs' });
  }
}
onMethod(Subject, 'plain', MessagePattern('plain'));
onMethod(Subject, 'ruled', MessagePattern('ruled'), RequireClaims({ roles: ['admin'] }));
onMethod(Subject, 'open', MessagePattern('open'), Public());
onMethod(Subject, 'throwing', MessagePattern('throwing'), Public());
Controller()(Subject);

beforeAll(async () => {
  issuer = await createIssuer();
  const imports = [LatchkeyModule.forRoot(issuer.options)];
  const at = { host: '127.0.0.1', port: 0 };
  const transport = Transport.TCP;
  service = await NestFactory.createMicroservice(moduleOf({ imports, controllers: [Subject] }), {
    logger: false,
    transport,
    options: at,
  });
  await service.listen();
  const { port } = service.unwrap<{ address(): AddressInfo }>().address();
  client = ClientProxyFactory.create({ transport, options: { ...at, port } });
});

afterAll(async () => {
  client.close();
  await service.close();
  await issuer.close();
});

/** The answer of a handler, or what its client is told. */
const ask = (pattern: string): Promise<unknown> =>
  firstValueFrom(client.send<unknown>(pattern, {})).catch((error: unknown) => error);

it.each([
  ['a handler without a decorator', 'plain', 'credentials_missing'],
  ['a handler with rules', 'ruled', 'credentials_missing'],
  ['an AuthError of a handler', 'throwing', 'token_expired'],
])('%s: the client reads the code', async (_name, pattern, code) => {
  const told = await ask(pattern);
  expect(told).toEqual({ status: 'error', code, message: new AuthError(code as never).message });
  expect(JSON.stringify(told)).not.toContain('only for logs');
});

it('a public handler answers', async () => {
  expect(await ask('open')).toBe('handled');
});
