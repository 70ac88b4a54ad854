// A member that other code adds to Object.prototype is not read as an option of a route.
import { NAMES, statusesOf, VALUES, whilePolluted } from '@latchkey/test-kit/pollution';
import { generateSigningKey, mint } from '@latchkey/testing';
import { Controller, Get, type INestApplication } from '@nestjs/common';
import { afterEach, expect, it } from 'vitest';
import { Authenticate, LatchkeyModule, RequireClaims } from '../src/index.ts';
import { create, listen, onMethod } from './application.ts';

const key = await generateSigningKey();
const good = { iss: 'i', exp: 4_000_000_000 };
const admin = `Bearer ${await mint(key, { ...good, sub: 'alice', roles: ['admin'] })}`;
const user = `Bearer ${await mint(key, { ...good, sub: 'bob' })}`;
const options = () => ({ keySets: [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }], audience: null });
const tokens = [undefined, user, admin];

const apps: INestApplication[] = [];
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

function build() {
  class TestController {
    plain() {
      return 'ok';
    }
    admin() {
      return 'ok';
    }
    open() {
      return 'ok';
    }
  }
  onMethod(TestController, 'plain', Get('plain'));
  onMethod(TestController, 'admin', Get('admin'), RequireClaims({ roles: ['admin'] }));
  onMethod(TestController, 'open', Get('open'), Authenticate({ mode: 'optional' }));
  Controller()(TestController);
  return { imports: [LatchkeyModule.forRoot(options())], controllers: [TestController] };
}

async function serve(metadata: ReturnType<typeof build>): Promise<number> {
  const app = await create(metadata);
  apps.push(app);
  return Number(new URL(await listen(app)).port);
}

const expected = [401, 200, 200, 401, 403, 200, 200, 200, 200, 404, 404, 404];

it.each(NAMES)('%s: changes no decision, added before or after the application was made', async (name) => {
  const clean = await serve(build());
  expect(await statusesOf(clean, tokens)).toEqual(expected);
  for (const value of VALUES) {
    expect(await statusesOf(clean, tokens, name, value), String(value)).toEqual(expected);
    const made = whilePolluted(name, value, build);
    expect(await statusesOf(await serve(made), tokens), String(value)).toEqual(expected);
  }
});
