// What a test hands to the issuer: its options for the service under test, and mistakes that are
// refused.
import { createAuthenticator, isAuthError } from '@latchkey/core';
import { afterEach, describe, expect, it } from 'vitest';
import { createClock, createIssuer, type IssuerOptions, type TestIssuer } from '../src/index.ts';

let issuer: TestIssuer | undefined;
afterEach(async () => {
  await issuer?.close();
  issuer = undefined;
});

describe('issuer.options', () => {
  it('make an authenticator that trusts the issuer', async () => {
    issuer = await createIssuer({ audience: 'me' });
    const authenticator = createAuthenticator(issuer.options);
    expect((await authenticator.verify(await issuer.mint({ scope: 'a' }), { scope: 'a' })).subject).toBe(
      'alice',
    );
    await authenticator.close();
  });

  it('have the clock of the issuer', async () => {
    const clock = createClock();
    issuer = await createIssuer({ clock });
    const authenticator = createAuthenticator(issuer.options);
    const token = await issuer.mint();
    await authenticator.verify(token);
    clock.advance(600_000);
    const refused: unknown = await authenticator.verify(token).catch((error: unknown) => error);
    expect(isAuthError(refused) && refused.code).toBe('token_expired');
    await authenticator.close();
  });

  it('can be extended', async () => {
    issuer = await createIssuer();
    const authenticator = createAuthenticator({ ...issuer.options, claims: { sub: 'bob' } });
    await expect(authenticator.verify(await issuer.mint())).rejects.toThrow('claims');
    await authenticator.close();
  });
});

describe('mistakes', () => {
  it.each([
    ['audiance', { audiance: 'me' }],
    ['algorithm', { algorithm: undefined }],
  ])('createIssuer refuses %s', async (path, options) => {
    await expect(createIssuer(options as IssuerOptions)).rejects.toThrow(`${path}:`);
  });

  it('a port that is in use is an error, and not a hang', async () => {
    issuer = await createIssuer();
    const port = Number(new URL(issuer.issuer).port);
    await expect(createIssuer({ port })).rejects.toThrow('EADDRINUSE');
  });

  it('the methods refuse what they do not know', async () => {
    issuer = await createIssuer();
    const { fail, rotate, publish } = issuer;
    expect(() => fail({ kind: 'hangs' } as never)).toThrow('fail.kind: expected one of status, reset, hang');
    expect(() => fail({ kind: 'status', code: 500 } as never)).toThrow('fail.code');
    await expect(rotate({ keepold: true } as never)).rejects.toThrow('keepOld');
    expect(() => publish({ keys: [] } as never)).toThrow('publish: expected a list');
  });
});
