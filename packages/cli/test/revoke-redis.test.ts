// `latchkey revoke --redis`: writes into a real Redis, for services that follow it.
import { createAuthenticator } from '@latchkey/core';
import { createRevocationFeed } from '@latchkey/redis';
import { hasRedis, startRedis } from '@latchkey/test-kit/redis';
import { createIssuer } from '@latchkey/testing';
import { createClient } from 'redis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { run } from '../src/index.ts';
import { createTerminal } from './terminal.ts';

const ISSUER = ['--issuer', 'https://login.example'];

async function revoke(env: Readonly<Record<string, string>>, ...argv: readonly string[]) {
  const { terminal, stdout, stderr } = createTerminal({ cwd: process.cwd(), env: { NO_COLOR: '1', ...env } });
  const code = await run(['revoke', ...argv], terminal);
  return { code, stdout: stdout(), stderr: stderr() };
}

describe.skipIf(!hasRedis)('a real Redis', () => {
  it.each([
    ['the URL of the flag', (url: string) => ['--redis', url], () => ({})],
    ['the URL of REDIS_URL', () => ['--redis'], (url: string) => ({ REDIS_URL: url })],
  ])('%s', async (_, flags, env) => {
    const redis = await startRedis();
    onTestFinished(() => redis.close());
    const issuer = await createIssuer();
    onTestFinished(() => issuer.close());
    const revocationFeed = createRevocationFeed(createClient({ url: redis.url }), { key: 'ended' });
    const authenticator = createAuthenticator({ ...issuer.options, revocation: {}, revocationFeed });
    onTestFinished(() => authenticator.close());
    await authenticator.ready();
    const token = await issuer.mint({ sub: 'alice', jti: 'one' });
    await authenticator.verify(token);

    const argv = [...flags(redis.url), '--redis-key', 'ended', '--issuer', issuer.issuer, '--jti', 'one'];
    const { code, stdout, stderr } = await revoke(env(redis.url), ...argv);

    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain(`revoked by jti, of ${issuer.issuer}`);
    await expect.poll(() => authenticator.report().revocation?.entries).toBe(1);
    await expect(authenticator.verify(token)).rejects.toMatchObject({ code: 'token_revoked' });
  });

  it('one that is not there is named, and nothing of the URL', async () => {
    const redis = await startRedis();
    await redis.close();
    const { code, stderr } = await revoke(
      { REDIS_URL: redis.url.replace('//', '//:hunter2@') },
      '--redis',
      ...ISSUER,
    );
    expect(code).toBe(3);
    expect(stderr).toContain('Redis stream latchkey:revocations: ');
    expect(stderr).not.toContain('hunter2');
  });
});

describe('the flags', () => {
  it.each([
    ['no URL at all', ['--redis', ...ISSUER], 'expected a URL here, or in REDIS_URL'],
    ['no URL', ['--redis', 'localhost', ...ISSUER], '--redis: expected a URL'],
    ['a password', ['--redis', 'redis://:hunter2@localhost', ...ISSUER], 'write the URL into REDIS_URL'],
    ['a file as well', ['--redis', '--file', 'a.jsonl', ...ISSUER], 'cannot be used with'],
    ['a key without it', ['--redis-key', 'ended', ...ISSUER], '--redis-key is only for --redis'],
  ])('%s', async (_, argv, message) => {
    const { code, stderr } = await revoke({}, ...argv);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain('hunter2');
  });
});
