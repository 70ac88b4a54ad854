// loadKeys(): the keys of an authenticator, for frameworks that wait at the start.
import { createIssuer } from '@latchkey/testing';
import { afterEach, expect, it, onTestFinished, vi } from 'vitest';
import { loadKeys, toAuthenticator } from '../../src/adapter/index.ts';
import { createAuthenticator } from '../../src/index.ts';

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

async function start() {
  const issuer = await createIssuer();
  onTestFinished(() => issuer.close());
  const authenticator = createAuthenticator({
    keySets: [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true }],
    audience: null,
  });
  onTestFinished(() => authenticator.close());
  return { issuer, authenticator };
}

it('loads the keys', async () => {
  const { authenticator } = await start();
  await loadKeys(authenticator);
  expect(authenticator.report().keysets).toMatchObject([{ state: 'fresh' }]);
});

it('waits three seconds at most, and never rejects', async () => {
  const { issuer, authenticator } = await start();
  issuer.fail({ kind: 'hang' });
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const waited = vi.fn();
  const waiting = loadKeys(authenticator).then(waited);
  await vi.advanceTimersByTimeAsync(2_999);
  expect(waited).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  await waiting;
});

it('an authenticator that cannot start, or fails to, is no failure here', async () => {
  const other = toAuthenticator({ decide: () => ({ ok: true, principal: undefined }) } as never);
  await loadKeys(other);
  await loadKeys({
    ...other,
    start: () => {
      throw new Error('no');
    },
  } as never);
});
