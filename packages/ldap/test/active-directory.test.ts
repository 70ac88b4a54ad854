// The behaviour with Active Directory, which a fake directory imitates.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LdapGroupsOptions } from '../src/index.ts';
import {
  type Answer,
  type Attributes,
  entry,
  type FakeDirectory,
  isProbe,
  result,
  startFake,
} from './fake.ts';
import { closeAll, create, failureOf, resolve } from './helpers.ts';

const DOMAIN = 'DC=corp,DC=example,DC=com';
const ALICE = `CN=Alice (R&D)\\, Core,CN=Users,${DOMAIN}`;
const ACTIVE_DIRECTORY = '1.2.840.113556.1.4.800';
const IN_CHAIN = '1.2.840.113556.1.4.1941';
const DOMAIN_SCOPE = '1.2.840.113556.1.4.1339';

let fake: FakeDirectory;
let capabilities: readonly string[];
let user: Attributes;
/** Pages by cookie, each with the cookie of the next page. */
let pages: { readonly [cookie: string]: readonly [names: readonly string[], next: string] };

const answer: Answer = (request) => {
  const { id, operation, base, page } = request;
  if (operation === 'bind') return [result(id, 'bind', 0)];
  if (operation !== 'search') return undefined;
  if (base === '') return [entry(id, '', { supportedCapabilities: capabilities }), result(id, 'search', 0)];
  if (isProbe(request)) return [entry(id, base, {}), result(id, 'search', 0)];
  if (!request.filter.includes('member')) return [entry(id, ALICE, user), result(id, 'search', 0)];
  // Without pages, a domain controller returns only this number of entries.
  if (page === undefined && Object.keys(pages).length > 1) return [result(id, 'search', 4)];
  const [names, next] = pages[page?.cookie ?? ''] ?? [[], ''];
  const entries = names.map((name) =>
    entry(id, `CN=${name},OU=Groups,${DOMAIN}`, { sAMAccountName: [name] }),
  );
  return [...entries, result(id, 'search', 0, next)];
};

beforeAll(async () => {
  fake = await startFake(answer);
});

beforeEach(() => {
  vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  fake.answer = answer;
  fake.requests.length = 0;
  capabilities = ['1.2.840.113556.1.4.1670', ACTIVE_DIRECTORY];
  user = { sAMAccountName: ['alice'] };
  pages = { '': [['Staff', 'Admins'], ''] };
});

afterEach(async () => {
  vi.restoreAllMocks();
  await closeAll();
});

afterAll(() => fake.close());

const make = (options: Partial<LdapGroupsOptions> = {}) =>
  create(fake.url, {
    preset: 'active-directory',
    unsafeAllowCleartext: true,
    users: { base: DOMAIN },
    groups: { base: DOMAIN },
    ...options,
  });

describe('OK-19 Active Directory', () => {
  it('uses its own attributes, and finds all groups in one search', async () => {
    expect(await resolve(make(), 'alice')).toEqual(['Staff', 'Admins']);
    const [byUser, byGroup] = fake.requests.filter(
      (request) => request.operation === 'search' && !isProbe(request),
    );
    expect(byUser).toMatchObject({
      scope: 'sub',
      // ldapts reads attributes in lower case.
      filter: '(&(samaccountname=alice)(&(objectcategory=person)(objectclass=user)))',
      sizeLimit: 2,
      page: undefined,
    });
    expect(byGroup?.filter).toContain(`(member:${IN_CHAIN}:=CN=Alice`);
    expect(byGroup?.filter).toContain('(objectclass=group)');
    expect(byGroup?.bytes.toString('utf8')).toContain(ALICE);
  });

  it('sends the control for the domain scope, so that the answer has no referrals', async () => {
    await resolve(make(), 'alice');
    const searches = fake.requests.filter(({ operation }) => operation === 'search');
    expect(searches).toHaveLength(5);
    for (const { bytes } of searches) expect(bytes.toString('latin1')).toContain(DOMAIN_SCOPE);
  });

  it('row 163 an empty page is not the last one', async () => {
    pages = { '': [['Staff'], 'a'], a: [[], 'b'], b: [[], 'c'], c: [['Admins'], ''] };
    expect(await resolve(make(), 'alice')).toEqual(['Staff', 'Admins']);
    const asked = fake.requests.flatMap(({ page }) => page ?? []);
    expect(asked.map(({ size, cookie }) => [size, cookie])).toEqual([
      [500, ''],
      [500, 'a'],
      [500, 'b'],
      [500, 'c'],
    ]);
  });

  it('row 163 endless pages are an error at the deadline', async () => {
    pages = { '': [[], 'a'], a: [[], 'a'] };
    const failure = await failureOf(resolve(make({ timeout: '200ms' }), 'alice'));
    expect(failure.message).toBe('the directory gave no answer within 200 ms');
  });

  it('row 163 a directory that is not Active Directory is refused, because it would find no groups without an error', async () => {
    capabilities = ['1.2.840.113556.1.4.1670'];
    expect((await failureOf(make().ready())).message).toContain(
      "groups.nested: 'in-chain' is for Active Directory",
    );
    expect(await resolve(make({ groups: { base: DOMAIN, nested: false } }), 'alice')).toHaveLength(2);
  });

  it('AD LDS is accepted as Active Directory', async () => {
    capabilities = ['1.2.840.113556.1.4.1851'];
    await make().ready();
  });

  it('accepts another attribute for subjects, in any case', async () => {
    user = { userPrincipalName: ['Alice@corp.example.com'] };
    const users = { base: DOMAIN, attribute: 'userPrincipalName', ignoreCase: true };
    expect(await resolve(make({ users }), 'alice@CORP.example.com')).toHaveLength(2);
  });
});

describe('row 163 long attributes of Active Directory', () => {
  const RANGES: { readonly [attribute: string]: Attributes } = {
    'memberOf;range=2-*': { 'memberOf;range=2-3': [`CN=three,${DOMAIN}`, `CN=four,${DOMAIN}`] },
    'memberOf;range=4-*': { 'memberOf;range=4-*': [`CN=five,${DOMAIN}`, `CN=away,DC=other`] },
  };
  const groups = { base: DOMAIN, via: 'memberOf', name: 'cn', nested: false } as const;

  beforeEach(() => {
    user = {
      sAMAccountName: ['alice'],
      memberOf: [],
      'memberOf;range=0-1': [`CN=one,${DOMAIN}`, `CN=two,${DOMAIN}`],
    };
    fake.answer = (request, socket) => {
      const { id, operation, base, scope, attributes } = request;
      if (operation !== 'search' || scope !== 'base' || isProbe(request)) return answer(request, socket);
      const range = RANGES[attributes[0]?.replace('memberof', 'memberOf') ?? ''];
      const name = /^CN=(\w+)/.exec(base)?.[1] ?? '';
      return [entry(id, base, range ?? { cn: [name] }), result(id, 'search', 0)];
    };
  });

  it('are read completely', async () => {
    expect(await resolve(make({ groups }), 'alice')).toEqual(['one', 'two', 'three', 'four', 'five']);
  });

  it('are an error if a part is missing', async () => {
    const whole = fake.answer;
    fake.answer = (request, socket) =>
      request.attributes[0]?.endsWith('4-*')
        ? [entry(request.id, request.base, {}), result(request.id, 'search', 0)]
        : whole(request, socket);
    expect((await failureOf(resolve(make({ groups }), 'alice'))).message).toBe(
      'the directory gave an answer that cannot be read',
    );
  });
});
