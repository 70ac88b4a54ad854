// Keys are loaded when the application starts, before it listens.
import { createIssuer } from '@latchkey/testing';
import { expect, it, vi } from 'vitest';
import { LatchkeyModule } from '../src/index.ts';
import { create, listen } from './application.ts';

it('loads the keys before it listens', async () => {
  const { issuer, audience, jwksUrl, requests, close } = await createIssuer();
  const options = { keySets: [{ issuer, jwksUrl, allowHttp: true }], audience };
  const app = await create({ imports: [LatchkeyModule.forRoot(options)] });
  await listen(app);
  expect(requests.jwks).toBe(1);
  await app.close();
  await close();
});

it('starts with a warning if the keys cannot be loaded', async () => {
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  const issuer = await createIssuer();
  issuer.fail({ kind: 'status', status: 500 });
  const keySets = [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }];
  const app = await create({ imports: [LatchkeyModule.forRoot({ keySets, audience: issuer.audience })] });
  await listen(app);
  expect(warned.mock.calls.some(([text]) => String(text).includes('500'))).toBe(true);
  await app.close();
  await issuer.close();
  vi.restoreAllMocks();
});
