// The reasons why this package has its own client: four faults of ldapts 9.2, each shown with the
// real library. If a test here fails, the fault is fixed, and the code that replaces it can be
// removed. The reports are in ../upstream.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { createAuthority } from '@latchkey/test-kit/certificate';
import { GROUPS, PEOPLE } from '@latchkey/test-kit/directory';
import { BerWriter, Client, FilterParser } from 'ldapts';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { readFilter } from '../src/filters.ts';
import { answerWith, entry, type FakeDirectory, isProbe, result, startFake } from './fake.ts';
import { closeAll, create, failureOf, resolve } from './helpers.ts';

const authority = createAuthority('Latchkey test authority');
const RIGHT = answerWith(
  [`cn=alice,${PEOPLE}`, { uid: ['alice'] }],
  [[`cn=staff,${GROUPS}`, { cn: ['staff'] }]],
);
const cleartext = { unsafeAllowCleartext: true, groups: { base: GROUPS, nested: false } } as const;
const search = { scope: 'sub', filter: '(uid=alice)' } as const;

let fake: FakeDirectory | undefined;
let client: Client | undefined;

afterEach(async () => {
  vi.restoreAllMocks();
  await client?.unbind().catch(() => {});
  await closeAll();
  await fake?.close();
  client = undefined;
  fake = undefined;
});

const said = (directory: FakeDirectory) =>
  directory.requests.map(({ operation, secured }) => `${operation}${secured ? ' in TLS' : ''}`);

const cut = async (directory: FakeDirectory) => {
  for (const socket of directory.sockets) socket.destroy();
  await vi.waitFor(() => expect(directory.sockets.size).toBe(0));
  directory.requests.length = 0;
};

describe('upstream/unbound-reconnect.md: a lost connection is replaced by one that is not bound', () => {
  it('ldapts searches as the anonymous user, without an error', async () => {
    fake = await startFake(RIGHT);
    client = new Client({ url: fake.url });
    await client.bind('cn=reader', 'secret');
    await cut(fake);
    await vi.waitFor(() => expect(client?.isConnected).toBe(false));
    await client.search(PEOPLE, search);
    expect(said(fake)).toEqual(['search']);
  });

  it('after StartTLS ldapts does not notice it at first, and then searches without TLS', async () => {
    fake = await startFake(RIGHT, authority.issue('localhost'));
    client = new Client({ url: fake.url, autoRebind: true, timeout: 200 });
    await client.startTLS({ ca: authority.cert, host: 'localhost' });
    await client.bind('cn=reader', 'secret');
    await cut(fake);
    await expect(client.search(PEOPLE, search)).rejects.toThrow('timed out');
    await client.search(PEOPLE, search);
    expect(said(fake)).toEqual(['search']);
  });

  it('this package binds, in TLS', async () => {
    fake = await startFake(RIGHT, authority.issue('localhost'));
    const groups = create(fake.url, { startTls: true, tls: { ca: { pem: authority.cert } } });
    await groups.ready();
    await cut(fake);
    await resolve(groups, 'alice');
    expect(said(fake).slice(0, 3)).toEqual(['extended', 'bind in TLS', 'search in TLS']);
  });
});

describe('upstream/empty-page.md: paging stops at a page without entries', () => {
  const start = () =>
    startFake((request, socket) => {
      const { id, filter, page } = request;
      if (!filter.includes('member') || isProbe(request)) return RIGHT(request, socket);
      if (page === undefined) return [result(id, 'search', 4)];
      const pages = {
        '': { names: ['one'], next: 'a' },
        a: { names: [], next: 'b' },
        b: { names: ['two'], next: '' },
      };
      const { names = [], next = '' } = Object.entries(pages).find(([at]) => at === page.cookie)?.[1] ?? {};
      const entries = names.map((name) => entry(id, `cn=${name},${GROUPS}`, { cn: [name] }));
      return [...entries, result(id, 'search', 0, next)];
    });

  it('ldapts returns the entries before it, without an error about the others', async () => {
    fake = await start();
    client = new Client({ url: fake.url });
    const options = { scope: 'sub', filter: '(member=cn=alice)', paged: { pageSize: 1 } } as const;
    const { searchEntries } = await client.search(GROUPS, options);
    expect(searchEntries.map(({ cn }) => cn)).toEqual(['one']);
  });

  it('this package returns all entries', async () => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    fake = await start();
    expect(await resolve(create(fake.url, { ...cleartext, pageSize: 1 }), 'alice')).toEqual(['one', 'two']);
  });
});

describe('upstream/unbounded-message.md: messages have no bound', () => {
  /** Answers each first request with the same bytes. */
  const start = async (bytes: (id: number) => Buffer) => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', (request) => socket.write(bytes(request[4] ?? 0), () => server.emit('written')));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return { server, url: `ldap://127.0.0.1:${(server.address() as AddressInfo).port}` };
  };
  /** The beginning of a message of 1 GiB. */
  const endless = () => Buffer.alloc(12 * 1024 * 1024, Buffer.from('3084400000000000', 'hex'));
  /** An entry of 15 bytes whose list of attributes claims 112 bytes. */
  const lying = (id: number) =>
    Buffer.from([0x30, 0x0d, 2, 1, id, 0x64, 8, 4, 4, 99, 110, 61, 97, 0x30, 0x70]);

  it('ldapts keeps 12 MiB of a message that claims 1 GiB, and waits for more', async () => {
    const { server, url } = await start(endless);
    try {
      client = new Client({ url });
      const searching = client.search(PEOPLE, search).catch(() => {});
      await once(server, 'written');
      expect(client.isConnected).toBe(true);
      await client.unbind();
      await searching;
    } finally {
      server.close();
    }
  });

  it('ldapts reads a length beyond its message until it runs out of memory', async () => {
    const { server, url } = await start(lying);
    const code = `
      import { Client } from 'ldapts';
      const client = new Client({ url: ${JSON.stringify(url)} });
      await client.search('dc=x', { filter: '(a=b)' }).catch(() => {});
      await client.unbind();`;
    const child = spawn(process.execPath, ['--max-old-space-size=48', '--input-type=module', '-e', code], {
      cwd: new URL('..', import.meta.url),
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: 15_000,
      killSignal: 'SIGKILL',
    });
    const output: string[] = [];
    child.stderr.setEncoding('utf8').on('data', (text: string) => output.push(text));
    try {
      await once(child, 'close');
      expect(output.join('')).toContain('heap out of memory');
    } finally {
      server.close();
    }
  });

  it.each([
    ['too long', endless],
    ['wrong inside', lying],
  ])('this package refuses one that is %s', async (_, bytes) => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const { server, url } = await start(bytes);
    try {
      const failure = await failureOf(resolve(create(url, cleartext), 'alice'));
      expect(failure.message).toBe('the directory gave an answer that cannot be read');
    } finally {
      server.close();
    }
  });
});

describe('upstream/lax-filters.md: texts that are not filters are accepted', () => {
  it.each([
    ['a missing parenthesis, which changes the result', '(|(&(a=b)(c=d)(e=f))', '(|(&(a=b)(c=d)(e=f)))'],
    ['a missing parenthesis at the end', '(&(a=b)(c=d)', '(&(a=b)(c=d))'],
    ['a missing parenthesis of a negation', '(!(a=b)', '(!(a=b))'],
    ['an extra character', '(&(!(a=b)x(c=d))', '(&(!(a=b))(c=d))'],
  ])('ldapts reads %s', (_, text, read) => {
    expect(FilterParser.parseString(text).toString()).toBe(read);
    expect(() => readFilter(text, 'users.filter')).toThrow('expected a filter in parentheses');
  });

  it('ldapts decodes the two bytes of an escaped character as two characters', () => {
    const bytesOf = (filter: ReturnType<typeof readFilter>) => {
      const writer = new BerWriter();
      filter?.write(writer);
      return writer.buffer.toString('utf8');
    };
    expect(bytesOf(FilterParser.parseString('(ou=Z\\c3\\bcrich)'))).toContain('ZÃ¼rich');
    expect(bytesOf(readFilter('(ou=Z\\c3\\bcrich)', 'users.filter'))).toContain('Zürich');
  });
});
