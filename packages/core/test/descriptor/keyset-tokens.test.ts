// What keysets say of their tokens, in a descriptor that changes: a stricter text counts at once,
// for tokens of the cache too, and the keys of an unchanged source are not read again.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createAuthenticator, type DescribedAuthenticator } from '../../src/index.ts';
import { closing, temporaryFolder } from '../support/closing.ts';

let issuer: TestIssuer;
let file: string;

beforeEach(async () => {
  issuer = await createIssuer();
  onTestFinished(() => issuer.close());
  file = join(await temporaryFolder(), 'service.json');
  vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
});

type Block = { readonly [name: string]: unknown };

const write = (own: Block, jwt: Block = {}) => {
  const keySets = [{ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, allowHttp: true, ...own }];
  return writeFile(file, JSON.stringify({ service: { jwt: { keySets, audience: ['a', 'b'], ...jwt } } }));
};

async function start(own: Block): Promise<DescribedAuthenticator> {
  await write(own);
  const made = createAuthenticator({ descriptor: file });
  closing(made);
  await made.ready();
  return made;
}

const codeOf = (outcome: Promise<unknown>) =>
  outcome.then(
    () => 'good',
    (error: { readonly code?: string }) => error.code ?? String(error),
  );

const now = () => Math.floor(Date.now() / 1000);

describe('T-054: a change of a keyset', () => {
  it.each<[what: string, before: Block, after: Block, claims: Block, code: string]>([
    ['from the audiences of all to its own', {}, { audience: 'a' }, { aud: 'b' }, 'token_audience_mismatch'],
    [
      'to fewer audiences',
      { audience: ['a', 'c'] },
      { audience: 'a' },
      { aud: 'c' },
      'token_audience_mismatch',
    ],
    ['from no audience', { audience: null }, { audience: 'a' }, { aud: 'z' }, 'token_audience_mismatch'],
    ['to a rule', {}, { claims: { dept: 'IT' } }, { aud: 'a' }, 'token_claims_invalid'],
    ['to another type', {}, { typ: 'at+jwt' }, { aud: 'a' }, 'token_type_refused'],
    ['to a shorter age', {}, { maxTokenAge: '1m' }, { aud: 'a', iat: now() - 100 }, 'token_expired'],
    ['to a shorter life', {}, { maxLifetime: '1m' }, { aud: 'a' }, 'token_claims_invalid'],
  ])('%s, and back', async (_what, before, after, claims, code) => {
    const authenticator = await start(before);
    const token = await issuer.mint({ exp: now() + 300, ...claims } as never);
    for (let count = 0; count < 3; count++) expect(await codeOf(authenticator.verify(token))).toBe('good');
    await write(after);
    await authenticator.reload();
    for (let count = 0; count < 3; count++) expect(await codeOf(authenticator.verify(token))).toBe(code);
    await write(before);
    await authenticator.reload();
    expect(await codeOf(authenticator.verify(token))).toBe('good');
    expect(authenticator.report().keysets.map(({ failures, state }) => [failures, state])).toEqual([
      [0, 'fresh'],
    ]);
  });

  it('keeps its keys, so it is in force while their source fails', async () => {
    const authenticator = await start({});
    const token = await issuer.mint({ aud: 'b' });
    expect(await codeOf(authenticator.verify(token))).toBe('good');
    issuer.fail({ kind: 'status', status: 500 });
    await write({ audience: 'a', claims: { sub: 'alice' } });
    await authenticator.reload();
    expect(await codeOf(authenticator.verify(token))).toBe('token_audience_mismatch');
    expect(await codeOf(authenticator.verify(await issuer.mint({ aud: 'a' })))).toBe('good');
  });

  it('counts for a keyset that is not waited for', async () => {
    const authenticator = await start({ skipValidation: true, audience: 'a' });
    expect(await codeOf(authenticator.verify(await issuer.mint({ aud: 'a' })))).toBe('good');
    expect(await codeOf(authenticator.verify(await issuer.mint({ aud: 'b' })))).toBe(
      'token_audience_mismatch',
    );
  });

  it('counts while the keys of another source have not been read yet', async () => {
    const next = await createIssuer();
    onTestFinished(() => next.close());
    const authenticator = await start({ audience: ['a', 'c'] });
    const token = await issuer.mint({ aud: 'c' });
    expect(await codeOf(authenticator.verify(token))).toBe('good');
    next.fail({ kind: 'status', status: 500 });
    // The old keys are used until then, with what the new text says of their tokens.
    await write({ jwksUrl: next.jwksUrl, audience: 'a' });
    await authenticator.reload().catch(() => {});
    expect(await codeOf(authenticator.verify(token))).toBe('token_audience_mismatch');
  });
});
