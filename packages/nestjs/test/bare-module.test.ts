// `imports: [LatchkeyModule]`, without options: it must not look like a guarded application.
import { createIssuer } from '@latchkey/testing';
import { Controller, Get, Module } from '@nestjs/common';
import { expect, it, onTestFinished } from 'vitest';
import { LatchkeyModule } from '../src/index.ts';
import { create, listen, onMethod } from './application.ts';

class Subject {
  read() {
    return {};
  }
}
onMethod(Subject, 'read', Get());
Controller('read')(Subject);

it('the class of the module alone does not start', async () => {
  await expect(create({ imports: [LatchkeyModule], controllers: [Subject] })).rejects.toThrow(
    'LatchkeyModule: imported without options, so it guards nothing; put LatchkeyModule.forRoot({ … }) among the imports of the application',
  );
});

it('a feature module may import it where another one has forRoot', async () => {
  const issuer = await createIssuer();
  onTestFinished(() => issuer.close());
  class Feature {}
  Module({ imports: [LatchkeyModule], controllers: [Subject] })(Feature);
  const app = await create({ imports: [Feature, LatchkeyModule.forRoot(issuer.options)] });
  onTestFinished(() => app.close());
  const url = `${await listen(app)}/read`;
  const authorization = `Bearer ${await issuer.mint()}`;
  expect((await fetch(url)).status).toBe(401);
  expect((await fetch(url, { headers: { authorization } })).status).toBe(200);
});
