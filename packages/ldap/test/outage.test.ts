// Connections over time: a directory that is killed, frozen or cut off, lookups that are aborted,
// and a process that ends.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { createAuthority } from '@latchkey/test-kit/certificate';
import { ENTRIES, GROUPS, INJECTIONS, PEOPLE } from '@latchkey/test-kit/directory';
import { hasSlapd, type Slapd, startSlapd } from '@latchkey/test-kit/slapd';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  answerWith,
  entry,
  type FakeDirectory,
  isProbe,
  result,
  type SeenRequest,
  startFake,
} from './fake.ts';
import { closeAll, create, failureOf, resolve } from './helpers.ts';

const RIGHT = answerWith(
  [`cn=alice,${PEOPLE}`, { uid: ['alice'] }],
  [[`cn=staff,${GROUPS}`, { cn: ['staff'] }]],
);
const cleartext = { unsafeAllowCleartext: true, groups: { base: GROUPS, nested: false } } as const;
/** RFC 4511 §4.11, an id of one byte. */
const ABANDON = Buffer.from([0x50, 0x01]);
const isUserSearch = ({ filter }: SeenRequest) => filter.includes('uid=alice)');
const authority = createAuthority('Latchkey test authority');
const tls = { ca: { pem: authority.cert } };

beforeEach(() => {
  vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
});

afterEach(async () => {
  vi.restoreAllMocks();
  await closeAll();
});

describe.skipIf(!hasSlapd)('row 161 R18 a real OpenLDAP that is killed and restarted', () => {
  let slapd: Slapd;

  beforeAll(async () => {
    const entries = ENTRIES.slice(0, 60);
    slapd = await startSlapd({ entries, tls: { ...authority.issue('localhost'), ca: authority.cert } });
  });

  afterAll(() => slapd?.close());

  it.each([
    ['ldaps', false],
    ['StartTLS', true],
  ])(
    '%s: killed ten times under load: no wrong groups, and lookups work again within 2 s',
    { timeout: 60_000 },
    async (_, startTls) => {
      const groups = create(startTls ? slapd.url : slapd.secureUrl, { tls, startTls, timeout: '2s' });
      await groups.ready();
      const seen = { right: 0, wrong: 0, failed: 0 };
      let ending = false;
      const load = Promise.all(
        Array.from({ length: 6 }, async (_, worker) => {
          for (let turn = worker; !ending; turn++) {
            const subject = turn % 3 === 0 ? (INJECTIONS[turn % INJECTIONS.length] ?? '') : 'alice';
            const expected = subject === 'alice' ? 'staff,company,everybody' : undefined;
            try {
              const answer = await resolve(groups, subject);
              if (answer?.join() !== expected) seen.wrong++;
              // Some of the other subjects are unknown without a request.
              else if (subject === 'alice') seen.right++;
            } catch {
              seen.failed++;
              await new Promise((done) => setImmediate(done));
            }
          }
        }),
      );
      try {
        for (let round = 0; round < 10; round++) {
          const before = seen.right;
          await vi.waitFor(() => expect(seen.right).toBeGreaterThan(before + 20), {
            timeout: 2_000,
            interval: 5,
          });
          await slapd.kill(round % 3 === 0 ? 'SIGTERM' : 'SIGKILL');
          const failed = seen.failed;
          await vi.waitFor(() => expect(seen.failed).toBeGreaterThan(failed), {
            timeout: 2_000,
            interval: 5,
          });
          await slapd.start();
        }
        const before = seen.right;
        await vi.waitFor(() => expect(seen.right).toBeGreaterThan(before), { timeout: 2_000, interval: 5 });
      } finally {
        ending = true;
        await load;
      }
      expect(seen.wrong).toBe(0);
      expect(groups.report()).toMatchObject({ busy: 0, waiting: 0, failures: 0 });
    },
  );

  it('a directory that does not answer is an error at the deadline, and lookups work again when it does', async () => {
    const groups = create(slapd.secureUrl, { tls, timeout: '300ms' });
    await groups.ready();
    slapd.freeze();
    try {
      const started = performance.now();
      const failures = await Promise.all(
        Array.from({ length: 12 }, () => failureOf(resolve(groups, 'alice'))),
      );
      expect(performance.now() - started).toBeLessThan(2_000);
      expect(new Set(failures.map(({ message }) => message))).toEqual(
        new Set(['the directory gave no answer within 300 ms']),
      );
    } finally {
      slapd.thaw();
    }
    await vi.waitFor(async () => expect(await resolve(groups, 'alice')).toHaveLength(3), {
      timeout: 2_000,
      interval: 10,
    });
  });

  it('groups from before it was killed are looked up again', async () => {
    const groups = create(slapd.secureUrl, { tls });
    expect(await resolve(groups, 'alice')).toHaveLength(3);
    await slapd.kill();
    await failureOf(resolve(groups, 'alice'));
    await slapd.start();
    await vi.waitFor(async () => expect(await resolve(groups, 'alice')).toHaveLength(3), { timeout: 2_000 });
  });
});

describe('row 161 connections', () => {
  let fake: FakeDirectory;

  beforeAll(async () => {
    fake = await startFake(RIGHT);
  });

  beforeEach(() => {
    fake.answer = RIGHT;
    fake.requests.length = 0;
    fake.connections = 0;
  });

  afterAll(() => fake.close());

  it('a reset of an idle connection causes no error', async () => {
    const groups = create(fake.url, cleartext);
    for (let round = 0; round < 5; round++) {
      expect(await resolve(groups, 'alice')).toEqual(['staff']);
      for (const socket of fake.sockets) socket.resetAndDestroy();
      await vi.waitFor(() => expect(groups.report().connected).toBe(false));
    }
    expect(groups.report()).toMatchObject({ failures: 0, lastFailure: undefined });
  });

  it('a connection that was cut while idle is replaced in the same lookup', async () => {
    const groups = create(fake.url, cleartext);
    await Promise.all([resolve(groups, 'alice'), resolve(groups, 'alice')]);
    const old = new Set([...fake.sockets].map(({ remotePort }) => remotePort));
    expect(old.size).toBe(1);
    fake.answer = (request, socket) => {
      if (!old.has(socket.remotePort)) return RIGHT(request, socket);
      socket.resetAndDestroy();
      return undefined;
    };
    expect(await Promise.all([resolve(groups, 'alice'), resolve(groups, 'alice')])).toEqual([
      ['staff'],
      ['staff'],
    ]);
    expect(fake.connections).toBe(2);
  });

  it('a new connection that is cut is an error, so that lookups do not retry forever', async () => {
    fake.answer = (request, socket) => {
      if (!isUserSearch(request)) return RIGHT(request, socket);
      socket.resetAndDestroy();
      return undefined;
    };
    const groups = create(fake.url, cleartext);
    expect((await failureOf(resolve(groups, 'alice'))).message).toMatch(
      /^the directory (?:cannot be reached: ECONNRESET|closed the connection before its answer was whole)$/,
    );
    expect(fake.connections).toBe(1);
  });

  it('after a failed connection there is a pause, and retryAfterMs says how long', async () => {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    server.close();
    await once(server, 'close');
    const groups = create(`ldap://127.0.0.1:${port}`, cleartext);
    const first = await failureOf(resolve(groups, 'alice'));
    expect(first.message).toBe('the directory cannot be reached: ECONNREFUSED');
    const second = await failureOf(resolve(groups, 'alice'));
    expect(second.message).toBe(first.message);
    expect(second.retryAfterMs).toBeGreaterThan(0);
    expect(second.retryAfterMs).toBeLessThanOrEqual(100);
    let longest = 0;
    await vi.waitFor(
      async () => {
        const { retryAfterMs = 0 } = await failureOf(resolve(groups, 'alice'));
        longest = Math.max(longest, retryAfterMs);
        expect(groups.report().failures).toBeGreaterThan(5);
      },
      { timeout: 10_000, interval: 20 },
    );
    expect(longest).toBeGreaterThan(500);
    expect(longest).toBeLessThanOrEqual(1_000);
    expect(groups.report()).toMatchObject({ connected: false, busy: 0, lastFailure: first.message });
  });

  it('many lookups are many requests over one connection, bound once, and at most 64 at a time', async () => {
    const held: (() => void)[] = [];
    let most = 0;
    fake.answer = (request, socket) => {
      if (!isUserSearch(request)) return RIGHT(request, socket);
      held.push(() => socket.write(Buffer.concat([...(RIGHT(request, socket) ?? [])])));
      most = Math.max(most, held.length);
      return undefined;
    };
    const groups = create(fake.url, cleartext);
    await groups.ready();
    const answers = Promise.all(Array.from({ length: 200 }, () => resolve(groups, 'alice')));
    await vi.waitFor(() => expect(held).toHaveLength(64));
    expect(groups.report()).toMatchObject({ connected: true, busy: 64, waiting: 136 });
    fake.answer = RIGHT;
    // The answers are in reverse order: each is matched by its id.
    for (const release of held.splice(0).reverse()) release();
    expect(await answers).toEqual(Array.from({ length: 200 }, () => ['staff']));
    expect(most).toBe(64);
    expect(fake.connections).toBe(1);
    expect(fake.requests.filter(({ operation }) => operation === 'bind')).toHaveLength(1);
    expect(groups.report()).toMatchObject({ busy: 0, waiting: 0 });
  });

  it('mixed answers each belong to their own subject', async () => {
    const subjects = ['alice', 'bob', 'carol'];
    const held: { readonly id: number; readonly subject: string; readonly socket: Socket }[] = [];
    fake.answer = (request, socket) => {
      const subject = subjects.find((uid) => request.filter.includes(`uid=${uid})`));
      if (subject !== undefined) held.push({ id: request.id, subject, socket });
      else if (request.filter.includes('member=')) {
        const name = subjects.find((uid) => request.filter.includes(`member=cn=${uid},`)) ?? 'canary';
        return [entry(request.id, `cn=${name},${GROUPS}`, { cn: [name] }), result(request.id, 'search', 0)];
      } else return RIGHT(request, socket);
      if (held.length === 3)
        socket.write(
          Buffer.concat([
            ...held.map(({ id, subject: uid }) => entry(id, `cn=${uid},${PEOPLE}`, { uid: [uid] })),
            ...held.map(({ id }) => result(id, 'search', 0)).reverse(),
          ]),
        );
      return undefined;
    };
    const groups = create(fake.url, cleartext);
    expect(await Promise.all(subjects.map((uid) => resolve(groups, uid)))).toEqual(
      subjects.map((uid) => [uid]),
    );
  });

  it('a wrong answer to one lookup does not affect others over the same connection', async () => {
    let release: (() => void) | undefined;
    fake.answer = (request, socket) => {
      if (request.filter.includes('uid=odd')) {
        return [
          entry(request.id, 'no DN', { uid: ['odd'] }).fill(0xff, 12, 14),
          result(request.id, 'search', 0),
        ];
      }
      if (!isUserSearch(request)) return RIGHT(request, socket);
      release = () => socket.write(Buffer.concat([...(RIGHT(request, socket) ?? [])]));
      return undefined;
    };
    const groups = create(fake.url, cleartext);
    const other = resolve(groups, 'alice');
    await vi.waitFor(() => expect(release).toBeDefined());
    expect((await failureOf(resolve(groups, 'odd'))).message).toBe(
      'the directory gave an answer that cannot be read',
    );
    release?.();
    expect(await other).toEqual(['staff']);
    expect(fake.connections).toBe(1);
  });

  it('a connection that is cut during many lookups is replaced once for all of them', async () => {
    const groups = create(fake.url, cleartext);
    await groups.ready();
    let first = true;
    fake.answer = (request, socket) => {
      if (!first) return RIGHT(request, socket);
      if (fake.requests.filter(isUserSearch).length === 20) {
        first = false;
        socket.resetAndDestroy();
      }
      return undefined;
    };
    const answers = await Promise.all(Array.from({ length: 20 }, () => resolve(groups, 'alice')));
    expect(answers).toEqual(Array.from({ length: 20 }, () => ['staff']));
    expect(fake.connections).toBe(2);
  });

  it('a search that is not answered is an error at the deadline, and does not end others', async () => {
    fake.answer = (request, socket) =>
      request.filter.includes('uid=bob)') ? undefined : RIGHT(request, socket);
    const groups = create(fake.url, { ...cleartext, timeout: '300ms' });
    await groups.ready();
    const abandoned = fake.asked(({ bytes }) => bytes.includes(ABANDON));
    const slow = failureOf(resolve(groups, 'bob'));
    let isSlow = true;
    slow.then(() => {
      isSlow = false;
    });
    while (isSlow) expect(await resolve(groups, 'alice')).toEqual(['staff']);
    expect((await slow).message).toBe('the directory gave no answer within 300 ms');
    await abandoned;
    expect(await resolve(groups, 'alice')).toEqual(['staff']);
    expect(fake.connections).toBe(1);
  });

  it('a silent connection is closed, and the next lookup opens another', async () => {
    const groups = create(fake.url, { ...cleartext, timeout: '200ms' });
    await groups.ready();
    const [frozen] = [...fake.sockets];
    fake.answer = (request, socket) =>
      socket.remotePort === frozen?.remotePort ? undefined : RIGHT(request, socket);
    const failed = await Promise.all([1, 2, 3].map(() => failureOf(resolve(groups, 'alice'))));
    for (const { message } of failed) expect(message).toBe('the directory gave no answer within 200 ms');
    expect(groups.report()).toMatchObject({ busy: 0, waiting: 0 });
    expect(await resolve(groups, 'alice')).toEqual(['staff']);
    expect(fake.connections).toBe(2);
  });

  it('waiting lookups end at their deadline', async () => {
    fake.answer = (request, socket) => (isUserSearch(request) ? undefined : RIGHT(request, socket));
    const groups = create(fake.url, { ...cleartext, timeout: '200ms' });
    const failed = await Promise.all(Array.from({ length: 100 }, () => failureOf(resolve(groups, 'alice'))));
    for (const { message } of failed) expect(message).toBe('the directory gave no answer within 200 ms');
    await vi.waitFor(() => expect(groups.report()).toMatchObject({ busy: 0, waiting: 0 }));
  });
});

describe('a lookup that is aborted', () => {
  let fake: FakeDirectory;

  beforeAll(async () => {
    fake = await startFake(RIGHT);
  });

  afterAll(() => fake.close());

  const reason = new Error('the lookup is aborted');

  it('before it starts: no request is sent', async () => {
    const groups = create(fake.url, cleartext);
    await expect(resolve(groups, 'alice', AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(groups.report().connected).toBe(false);
  });

  it.each<[string, (request: SeenRequest) => boolean]>([
    ['the bind', ({ operation }) => operation === 'bind'],
    ['the probe', (request) => request.operation === 'search' && isProbe(request)],
    ['the search', isUserSearch],
  ])('during %s: this is not a failure of the directory, and the next lookup works', async (_, matches) => {
    let release: (() => void) | undefined;
    fake.answer = (request, socket) => {
      if (!matches(request) || release !== undefined) return RIGHT(request, socket);
      release = () => socket.write(Buffer.concat([...(RIGHT(request, socket) ?? [])]));
      return undefined;
    };
    fake.connections = 0;
    const groups = create(fake.url, cleartext);
    const caller = new AbortController();
    const asked = fake.asked(matches);
    const left = expect(resolve(groups, 'alice', caller.signal)).rejects.toBe(reason);
    await asked;
    caller.abort(reason);
    await left;
    expect(groups.report()).toMatchObject({ failures: 0, lastFailure: undefined });
    release?.();
    expect(await resolve(groups, 'alice')).toEqual(['staff']);
    expect(fake.connections).toBe(1);
  });

  it('during the search: an abandon request is sent, and other lookups get their answers', async () => {
    let release: (() => void) | undefined;
    fake.answer = (request, socket) => {
      if (!isUserSearch(request) || release !== undefined) return RIGHT(request, socket);
      release = () => socket.write(Buffer.concat([...(RIGHT(request, socket) ?? [])]));
      return undefined;
    };
    const groups = create(fake.url, cleartext);
    const caller = new AbortController();
    const asked = fake.asked(isUserSearch);
    const first = expect(resolve(groups, 'alice', caller.signal)).rejects.toBe(reason);
    const { id } = await asked;
    const abandoned = fake.asked(({ bytes }) => bytes.includes(ABANDON));
    const second = resolve(groups, 'alice');
    caller.abort(reason);
    await first;
    expect((await abandoned).bytes.at(-1)).toBe(id);
    // The directory had answered before the abandon request.
    release?.();
    expect(await second).toEqual(['staff']);
    expect(await resolve(groups, 'alice')).toEqual(['staff']);
  });
});

describe('R19 closing', () => {
  let fake: FakeDirectory;

  beforeAll(async () => {
    fake = await startFake(RIGHT);
  });

  beforeEach(() => {
    fake.answer = RIGHT;
  });

  afterAll(() => fake.close());

  it('close() sends an unbind request, and later lookups reject', async () => {
    const groups = create(fake.url, cleartext);
    await resolve(groups, 'alice');
    const unbound = fake.asked(({ operation }) => operation === 'unbind');
    await groups.close();
    await unbound;
    await vi.waitFor(() => expect(fake.sockets.size).toBe(0));
    expect(groups.report()).toMatchObject({ connected: false, busy: 0, waiting: 0 });
    expect((await failureOf(resolve(groups, 'alice'))).message).toBe('the LDAP resolver is closed');
    expect((await failureOf(groups.ready())).message).toBe('the LDAP resolver is closed');
    await groups.close();
  });

  it.each<[string, (request: SeenRequest) => boolean]>([
    ['opened', ({ operation }) => operation === 'bind'],
    ['used', isUserSearch],
  ])('close() ends a connection that is being %s, and lookups that wait for it', async (_, matches) => {
    fake.answer = (request, socket) => (matches(request) ? undefined : RIGHT(request, socket));
    const groups = create(fake.url, cleartext);
    const asked = fake.asked(matches);
    const lookups = Promise.all([1, 2].map(() => failureOf(resolve(groups, 'alice'))));
    await asked;
    const started = performance.now();
    await groups.close();
    expect(performance.now() - started).toBeLessThan(1_000);
    for (const { message } of await lookups) expect(message).toBe('the LDAP resolver is closed');
    await vi.waitFor(() => expect(fake.sockets.size).toBe(0));
  });

  it('leaves no timer and no listener behind', async () => {
    const groups = create(fake.url, cleartext);
    const { signal } = new AbortController();
    const add = vi.spyOn(signal, 'addEventListener');
    const remove = vi.spyOn(signal, 'removeEventListener');
    const started = vi.spyOn(globalThis, 'setTimeout');
    const cleared = vi.spyOn(globalThis, 'clearTimeout');
    for (let turn = 0; turn < 20; turn++) await resolve(groups, 'alice', signal);
    fake.answer = ({ id, operation }) => (operation === 'bind' ? undefined : [result(id, 'search', 51)]);
    for (let turn = 0; turn < 20; turn++) await failureOf(resolve(groups, 'alice', signal));
    const timers = started.mock.results.map(({ value }) => value);
    // One listener for each lookup, and one for the connection.
    expect(timers).toHaveLength(41);
    expect(new Set(cleared.mock.calls.map(([timer]) => timer))).toEqual(new Set(timers));
    expect(remove).toHaveBeenCalledTimes(add.mock.calls.length);
  });

  it.each([
    ['in the clear', false],
    ['through StartTLS', true],
  ])(
    'an idle connection %s does not keep the process alive, and no close() is needed',
    async (_, startTls) => {
      const certified = startTls ? authority.issue('localhost') : undefined;
      const directory = await startFake(RIGHT, certified);
      try {
        const code = `
        import { createMemoryStore } from '@latchkey/core';
        import { createLdapGroups } from '@latchkey/ldap';
        const groups = createLdapGroups({
          url: ${JSON.stringify(directory.url)},
          ...${JSON.stringify(startTls ? { startTls, tls } : { unsafeAllowCleartext: true })},
          bind: { dn: 'cn=reader', password: { name: 'ldap', key: 'password' } },
          secrets: createMemoryStore({ ldap: { password: 'x' } }),
          users: { base: ${JSON.stringify(PEOPLE)} },
          groups: { base: ${JSON.stringify(GROUPS)}, nested: false },
          timeout: '10s',
        });
        const signal = new AbortController().signal;
        console.log(await groups.resolve({ subject: 'alice', issuer: undefined }, signal), groups.report().connected);`;
        const child = spawn(
          process.execPath,
          ['--conditions=source', '--no-warnings', '--input-type=module', '-e', code],
          {
            // The folder from which package names resolve, including that of this package.
            cwd: new URL('..', import.meta.url),
            stdio: ['ignore', 'pipe', 'pipe'],
          },
        );
        const output: string[] = [];
        child.stdout.setEncoding('utf8').on('data', (text: string) => output.push(text));
        child.stderr.setEncoding('utf8').on('data', (text: string) => output.push(text));
        const [exitCode] = await once(child, 'close', { signal: AbortSignal.timeout(15_000) });
        expect(output.join('')).toBe("[ 'staff' ] true\n");
        expect(exitCode).toBe(0);
      } finally {
        await directory.close();
      }
    },
  );
});
