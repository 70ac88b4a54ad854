// The options of service tokens: what is refused at creation, and what is read at creation.
import { mkdir } from 'node:fs/promises';
import { relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createServiceFetch, type ServiceFetchOptions } from '../../src/signing/service-fetch.ts';
import { warningsOf } from '../support/observed.ts';
import { configErrorOf } from '../support/refusals.ts';
import {
  at,
  create,
  createFor,
  FIRST,
  FRIENDS,
  failed,
  put,
  refreshed,
  sent,
  serve,
  tokenOf,
} from './service-tokens.ts';

describe('options', () => {
  const good = { file: '/run/tokens/friends.jwt', audience: FRIENDS, hosts: ['friends.internal:8443'] };
  const one = (more: object) => ({ tokens: [{ ...good, ...more }] });
  const second = (token: object) => ({ tokens: [good, token] });

  it.each<[title: string, path: string, options: unknown, message?: string]>([
    ['none', 'options', undefined],
    ['no tokens', 'tokens', {}],
    ['an empty list', 'tokens', { tokens: [] }],
    ['a token that is not an object', 'tokens[0]', { tokens: ['/run/tokens/friends.jwt'] }],
    ['an unknown option', 'retries', { tokens: [good], retries: 3 }, 'unknown option'],
    ['a misspelled option', 'allowHTTP', { tokens: [good], allowHTTP: true }, 'did you mean allowHttp?'],
    ['an unknown option of a token', 'tokens[0].host', one({ host: 'x' }), 'unknown option'],
    ['no file', 'tokens[0].file', one({ file: undefined })],
    ['an empty file name', 'tokens[0].file', one({ file: '' })],
    [
      'no audience',
      'tokens[1].audience',
      second({ file: 'f', hosts: ['b.internal'] }),
      'is required; pass null',
    ],
    ['an empty audience', 'tokens[0].audience', one({ audience: '' })],
    ['several audiences', 'tokens[0].audience', one({ audience: [FRIENDS] })],
    ['no hosts', 'tokens[0].hosts', one({ hosts: undefined })],
    ['an empty list of hosts', 'tokens[0].hosts', one({ hosts: [] })],
    ['an empty subject', 'tokens[0].subject', one({ subject: '' })],
    ['a subject that is null', 'tokens[0].subject', one({ subject: null })],
    [
      'a host of two tokens',
      'tokens[1].hosts[1]',
      second({ ...good, hosts: ['b.internal', ...good.hosts] }),
      'expected a host that is not mapped to another token',
    ],
    ['a host twice', 'tokens[0].hosts[1]', one({ hosts: [...good.hosts, ...good.hosts] })],
    ['allowHttp in words', 'allowHttp', { tokens: [good], allowHttp: 'yes' }],
    ['no clock', 'clock', { tokens: [good], clock: {} }],
    ['a clock that is null', 'clock', { tokens: [good], clock: null }],
    ['a clock without time', 'clock', { tokens: [good], clock: { now: () => Number.NaN } }],
  ])('T-140: %s: ConfigError at %s', (_, path, options, message = '') => {
    const thrown = configErrorOf(() => createServiceFetch(options as ServiceFetchOptions));
    expect(thrown).toMatchObject({ path, message: expect.stringContaining(message) });
  });

  // biome-ignore format: one line for each kind of fault
  const NOT_PLAIN = [
    '', ' ', 8443, null,
    'Friends.internal', 'friends internal', ' friends.internal', 'friends\t.internal',
    'fr%69ends.internal', 'fründe.internal', '*.internal', '*',
    'https://friends.internal', 'friends.internal/', 'friends.internal/path', 'friends.internal?x',
    'friends.internal#x', 'okera@friends.internal',
    'friends.internal:443', 'friends.internal:80', 'friends.internal:08443', 'friends.internal:',
    'friends.internal:70000', '127.1', '::1', '[0:0:0:0:0:0:0:1]',
  ];
  it.each(NOT_PLAIN)('OK-2: %j is not a plain host', (host) => {
    expect(() => createServiceFetch({ tokens: [{ ...good, hosts: [host] as string[] }] })).toThrow(
      expect.objectContaining({ name: 'ConfigError', path: 'tokens[0].hosts[0]' }),
    );
  });

  const PLAIN = [
    'friends',
    'friends.internal',
    'friends.internal:8443',
    '10.0.0.1:8080',
    '[::1]:8443',
    'xn--frnde-lva.internal',
  ];
  it.each(PLAIN)('OK-2: %j is a plain host', (host) => {
    expect(() => createServiceFetch({ tokens: [{ ...good, hosts: [host] }] })).not.toThrow();
  });

  it('OK-14: creation reads no file, and Date may be the clock', async () => {
    await put('token', tokenOf({ exp: Math.floor(Date.now() / 1000) - 1 }));
    const calls = create({ clock: Date, tokens: [{ ...good, file: at('token') }] });
    expect([...refreshed, ...failed]).toEqual([]);
    expect(await warningsOf(() => calls.ready())).toEqual([
      'Warning LATCHKEY_EXPIRY: service token tokens[0]: has expired',
    ]);
  });

  it('OK-14: a relative file name is resolved against the working directory at creation', async () => {
    await put('token', FIRST);
    const friends = await serve();
    const before = process.cwd();
    const calls = createFor(friends.host, { file: relative(before, at('token')) });
    // So deep that the same steps upwards lead elsewhere.
    await mkdir(at('a/b/c'), { recursive: true });
    process.chdir(at('a/b/c'));
    try {
      expect(await sent(calls, friends)).toBe(`Bearer ${FIRST}`);
    } finally {
      process.chdir(before);
    }
  });

  it('OK-14: a change to the options after creation has no effect', async () => {
    await put('token', FIRST);
    const friends = await serve();
    const token = { file: at('token'), audience: FRIENDS, hosts: ['friends.internal'] };
    const calls = create({ tokens: [token] });
    token.hosts.push(friends.host);
    expect(await sent(calls, friends)).toBe('none');
  });
});
