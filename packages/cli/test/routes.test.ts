// `latchkey routes`: its table, its exit codes, and what is called opening and closing.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RouteReport } from '@latchkey/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { run } from '../src/index.ts';
import { createTerminal } from './terminal.ts';

let cwd: string;
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'latchkey-routes-'));
});
afterEach(() => rm(cwd, { recursive: true }));

async function latchkey(args: readonly string[], files: { readonly [name: string]: unknown }) {
  for (const [name, content] of Object.entries(files))
    await writeFile(join(cwd, name), typeof content === 'string' ? content : JSON.stringify(content));
  const { terminal, stdout, stderr } = createTerminal({ cwd });
  return { code: await run(['routes', ...args], terminal), stdout: stdout(), stderr: stderr() };
}

const route = (more: Partial<RouteReport> = {}): RouteReport => ({
  method: 'GET',
  path: '/orders',
  requirement: 'token',
  claims: [],
  from: 'application',
  ...more,
});

describe('latchkey routes list', () => {
  const report = [
    route({
      claims: ['scope', 'roles'],
      requires: [{ about: 'acr', expected: 'one of urn:mfa' }],
      reportOnly: [{ claim: 'roles', until: '2026-12-31T00:00:00.000Z' }],
    }),
    route({ path: '/health', requirement: 'public', from: 'route' }),
  ];

  it('shows each route, and what it asks', async () => {
    const { code, stdout } = await latchkey(['list', 'routes.json', '--check'], { 'routes.json': report });
    expect(code).toBe(0);
    expect(stdout.split('\n')).toEqual([
      'GET  /orders  token   application  claims: scope, roles; acr: one of urn:mfa; roles is report only until 2026-12-31T00:00:00.000Z',
      'GET  /health  public  route',
      '',
    ]);
  });

  it('ends with 1 for an undecided route, with --check only', async () => {
    const { from: _from, ...undecided } = route({ path: '/new', requirement: 'UNDECIDED' });
    const files = { 'routes.json': [...report, undecided] };
    expect(await latchkey(['list', 'routes.json'], files)).toMatchObject({ code: 0, stderr: '' });
    const checked = await latchkey(['list', 'routes.json', '--check', '-o', 'json'], files);
    expect(checked.code).toBe(1);
    expect(JSON.parse(checked.stdout).undecided).toEqual(['GET /new']);
    expect(checked.stderr).toContain('1 undecided: GET /new');
  });

  it.each([
    ['no JSON', '[', 'is not JSON'],
    ['no list', '{}', 'is not a route report'],
    ['other members', [{ method: 'GET' }], 'is not a route report'],
    ['another requirement', [route({ requirement: 'none' as never })], 'is not a route report'],
    ['wrong parts', [route({ requires: [{ about: 'acr' }] as never })], 'is not a route report'],
  ])('is misuse with %s', async (_, content, problem) => {
    const { code, stderr } = await latchkey(['list', 'routes.json'], { 'routes.json': content });
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(problem) });
  });

  it('is misuse without a file', async () => {
    expect(await latchkey(['list', 'nope.json'], {})).toMatchObject({ code: 2 });
  });
});

describe('latchkey routes diff', () => {
  const part = { about: 'acr', expected: 'one of urn:mfa' };
  const dated = (until: string) => [{ claim: 'roles', until }];

  it.each<[name: string, before: readonly RouteReport[], after: readonly RouteReport[], changes: string]>([
    ['the same', [route()], [route()], ''],
    ['another order', [route(), route({ path: '/a' })], [route({ path: '/a' }), route()], ''],
    ['a rule less', [route({ claims: ['scope'] })], [route()], '+the rule on scope is gone'],
    ['a rule more', [route()], [route({ claims: ['scope'] })], '-the rule on scope is new'],
    [
      'one of two rules on a claim',
      [route({ claims: ['a', 'a'] })],
      [route({ claims: ['a'] })],
      '+the rule on a is gone',
    ],
    ['no token', [route()], [route({ requirement: 'public' })], '+token → public'],
    ['an optional token', [route()], [route({ requirement: 'optional token' })], '+token → optional token'],
    ['a token', [route({ requirement: 'UNDECIDED' })], [route()], '-UNDECIDED → token'],
    [
      'decided as public',
      [route({ requirement: 'UNDECIDED' })],
      [route({ requirement: 'public' })],
      '~UNDECIDED → public',
    ],
    [
      'a requirement less',
      [route({ requires: [part] })],
      [route()],
      '+the requirement acr: one of urn:mfa is gone',
    ],
    [
      'a requirement more',
      [route()],
      [route({ requires: [part] })],
      '-the requirement acr: one of urn:mfa is new',
    ],
    ['a new route', [], [route()], '~is new: token'],
    ['a new public route', [], [route({ requirement: 'public' })], '+is new: public'],
    ['a route that is gone', [route()], [], '-is gone: token'],
    [
      'a rule that only reports',
      [route()],
      [route({ reportOnly: [{ claim: 'roles' }] })],
      '+roles is report only',
    ],
    [
      'a rule that is enforced',
      [route({ reportOnly: [{ claim: 'roles' }] })],
      [route()],
      '-roles is enforced',
    ],
    [
      'a later date',
      [route({ reportOnly: dated('2026') })],
      [route({ reportOnly: dated('2027') })],
      '+roles is report only until 2027',
    ],
    [
      'an earlier date',
      [route({ reportOnly: dated('2027') })],
      [route({ reportOnly: dated('2026') })],
      '-roles is report only until 2026',
    ],
    [
      'a date',
      [route({ reportOnly: [{ claim: 'roles' }] })],
      [route({ reportOnly: dated('2026') })],
      '-roles is report only until 2026',
    ],
  ])('%s', async (_, before, after, changes) => {
    const files = { 'before.json': before, 'after.json': after };
    const { code, stdout } = await latchkey(
      ['diff', 'before.json', 'after.json', '-o', 'json', '--fail-on-open'],
      files,
    );
    const marks = { opens: '+', closes: '-', changes: '~' } as const;
    const found = JSON.parse(stdout).changes as { effect: keyof typeof marks; message: string }[];
    expect(found.map(({ effect, message }) => `${marks[effect]}${message}`).join(' ')).toBe(changes);
    expect(code).toBe(changes.startsWith('+') ? 1 : 0);
  });

  it('prints what opens first', async () => {
    const files = {
      'before.json': [route({ path: '/a' }), route({ claims: ['scope'] })],
      'after.json': [route({ path: '/a', claims: ['x'] }), route()],
    };
    const { code, stdout } = await latchkey(['diff', 'before.json', 'after.json'], files);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: '+ opens GET /orders: the rule on scope is gone\n- closes GET /a: the rule on x is new\n',
    });
  });
});
