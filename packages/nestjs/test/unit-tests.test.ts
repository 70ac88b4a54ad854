// Tests of applications: overrideGuard replaces the guard, and @Auth() without a guard refuses.
import { generateSigningKey } from '@latchkey/testing';
import { Controller, Get, type INestApplication, type Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { afterEach, describe, expect, it } from 'vitest';
import {
  Auth,
  ConfigError,
  LatchkeyGuard,
  LatchkeyModule,
  type Principal,
  Public,
  RequireClaims,
} from '../src/index.ts';
import { listen, onMethod } from './application.ts';

let app: INestApplication | undefined;
afterEach(async () => {
  await app?.close();
  app = undefined;
});

class Subject {
  me(auth: Principal | undefined) {
    return { subject: auth?.subject ?? null };
  }
  open(auth: Principal | undefined) {
    return { subject: auth?.subject ?? null };
  }
  admin() {
    return 'admin';
  }
  plain() {
    return 'plain';
  }
}
Auth()(Subject.prototype, 'me', 0);
Auth()(Subject.prototype, 'open', 0);
onMethod(Subject, 'me', Get('me'));
onMethod(Subject, 'open', Get('open'), Public());
onMethod(Subject, 'admin', Get('admin'), RequireClaims({ roles: ['admin'] }));
onMethod(Subject, 'plain', Get('plain'));
Controller()(Subject);

const { publicJwk } = await generateSigningKey('ES256', 'one');
const latchkey = () =>
  LatchkeyModule.forRoot({ keySets: [{ issuer: 'i', jwks: { keys: [publicJwk] } }], audience: 'me' });
const testing = (imports: Parameters<typeof Test.createTestingModule>[0]['imports'] = []) =>
  Test.createTestingModule({ imports, controllers: [Subject as Type] });
const passing = { canActivate: () => true };

describe('overrideGuard(LatchkeyGuard)', () => {
  it('replaces the guard of decorators, so that methods can be called without the module', async () => {
    const made = await testing().overrideGuard(LatchkeyGuard).useValue(passing).compile();
    expect(made.get(Subject).admin()).toBe('admin');
    expect(made.get(Subject).me({ subject: 'alice' } as Principal)).toEqual({ subject: 'alice' });
  });

  it('replaces the global guard of the module too', async () => {
    const made = await testing([latchkey()]).overrideGuard(LatchkeyGuard).useValue(passing).compile();
    app = made.createNestApplication({ logger: false });
    const url = await listen(app);
    const ask = async (path: string) => (await fetch(`${url}/${path}`)).status;
    expect([await ask('admin'), await ask('plain'), await ask('open')]).toEqual([200, 200, 200]);
  });

  it('T-103: @Auth() refuses where the guard did not run', async () => {
    const made = await testing([latchkey()]).overrideGuard(LatchkeyGuard).useValue(passing).compile();
    app = made.createNestApplication({ logger: false });
    const response = await fetch(`${await listen(app)}/me`);
    expect([response.status, await response.json()]).toEqual([
      500,
      { statusCode: 500, message: 'Internal server error' },
    ]);
  });
});

it('without it, the guard is there, and needs the module', async () => {
  await expect(testing().compile()).rejects.toThrow(ConfigError);
  app = (await testing([latchkey()]).compile()).createNestApplication({ logger: false });
  const url = await listen(app);
  expect([(await fetch(`${url}/me`)).status, (await fetch(`${url}/open`)).status]).toEqual([401, 200]);
});
