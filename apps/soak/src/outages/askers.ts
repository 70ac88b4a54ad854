// Who asks for groups while the directory comes and goes, and whether each answer is exactly right.
// Makes no load.
import { type Authenticator, createAuthenticator, createMemoryStore, isAuthError } from '@latchkey/core';
import { createLdapGroups, type LdapGroups } from '@latchkey/ldap';
import { GROUPS, PEOPLE } from '@latchkey/test-kit/directory';
import { PASSWORD, READER } from '@latchkey/test-kit/slapd';
import { generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { sharedNow } from './companion.ts';
import { PERSONS, STRANGERS } from './people.ts';
import { AUDIENCE, ISSUER, presented } from './tokens.ts';

/** The groups of a subject; undefined for nobody. Rejects if nobody can say. */
export type Find = (subject: string) => Promise<readonly string[] | undefined>;

/** What came of all lookups so far. */
export interface Answers {
  readonly right: number;
  /** Other groups than the right ones, nobody for somebody, and somebody for nobody. */
  readonly wrong: readonly string[];
  /** Those that said that nobody can say. */
  readonly unavailable: number;
  /** Errors of other kinds. */
  readonly odd: readonly string[];
  readonly slowestMs: number;
}

/** One way to ask. */
export interface Asker {
  readonly name: string;
  readonly find: Find;
  /** Asks for the next subject, and judges the answer. Never rejects. */
  ask(): Promise<void>;
  /** The time of the first right groups from now on, by `sharedNow()`: when there are some. */
  nextRight(): { readonly at: number | undefined };
  readonly answers: Answers;
}

/** Both ways, each over connections of its own. */
export interface Askers {
  /**
   * As a service does: a request, its token, and then groups, behind the breaker that sources of
   * groups have.
   */
  readonly service: Asker;
  /** The resolver, and nothing around it. */
  readonly resolver: Asker;
  close(): Promise<void>;
}

/** Pages so small that the groups of those who have many come in several. */
const PAGE_SIZE = 8;

/** Makes both for a directory. Nothing is cached. */
export async function createAskers({
  url,
  ca,
}: {
  readonly url: string;
  readonly ca: string;
}): Promise<Askers> {
  const make = () =>
    createLdapGroups({
      url,
      tls: { ca: { pem: ca } },
      bind: { dn: READER, password: { name: 'ldap', key: 'password' } },
      secrets: createMemoryStore({ ldap: { password: PASSWORD } }),
      users: { base: PEOPLE },
      groups: { base: GROUPS },
      pageSize: PAGE_SIZE,
    });
  const key = await generateSigningKey();
  const authenticator = createAuthenticator({
    keySets: [{ issuer: ISSUER, jwks: { keys: [key.publicJwk] } }],
    audience: AUDIENCE,
    // Groups that tokens say are not looked at.
    groups: { order: ['directory'], directory: make(), cacheFor: '0s' },
  });
  const groups = make();
  return {
    service: createAsker('service', findByRequest(authenticator, key)),
    resolver: createAsker('resolver', findByResolver(groups)),
    close: async () => void (await Promise.all([authenticator.close(), groups.close()])),
  };
}

function createAsker(name: string, find: Find): Asker {
  const wrong: string[] = [];
  const odd: string[] = [];
  let right = 0;
  let unavailable = 0;
  let slowestMs = 0;
  let turn = 0;
  let waiting: { at: number | undefined } = { at: undefined };

  async function judge(subject: string, expected: readonly string[] | undefined): Promise<void> {
    const found = await find(subject);
    if (textOf(found) !== textOf(expected)) {
      wrong.push(`${subject}: ${textOf(found)} and not ${textOf(expected)}`);
      return;
    }
    right++;
    // That somebody is unknown could be said without asking.
    if (expected !== undefined) waiting.at ??= sharedNow();
  }

  return {
    name,
    find,
    async ask() {
      turn++;
      const person = turn % 6 === 0 ? undefined : PERSONS[turn % PERSONS.length];
      const subject = person?.subject ?? STRANGERS[turn % STRANGERS.length] ?? '';
      const began = performance.now();
      try {
        await judge(subject, person?.groups);
      } catch (error) {
        if (isUnavailable(error)) unavailable++;
        else odd.push(String(error));
      }
      slowestMs = Math.max(slowestMs, performance.now() - began);
    },
    nextRight() {
      waiting = { at: undefined };
      return waiting;
    },
    get answers() {
      return { right, wrong, unavailable, odd, slowestMs };
    },
  };
}

function findByRequest(authenticator: Authenticator, key: SigningKey): Find {
  const tokens = new Map<string, Promise<string>>();
  const exp = Math.floor(Date.now() / 1000) + 3_600;
  return async (subject) => {
    const claims = { iss: ISSUER, aud: AUDIENCE, sub: subject, groups: ['said-by-the-token'], exp };
    const token = tokens.get(subject) ?? mint(key, claims);
    tokens.set(subject, token);
    try {
      const principal = await authenticator.authenticate(presented(await token).request);
      return principal?.groups ?? ['let pass without a principal'];
    } catch (error) {
      if (isAuthError(error) && error.code === 'token_rejected') return undefined;
      throw error;
    }
  };
}

function findByResolver(groups: LdapGroups): Find {
  return (subject) => groups.resolve({ subject, issuer: ISSUER }, new AbortController().signal);
}

/** The one answer that is no answer, and not for an error of ours. */
function isUnavailable(error: unknown): boolean {
  const cause = isAuthError(error) ? error.cause : error;
  const isExpected = cause instanceof Error && !/please report/.test(cause.message);
  return isExpected && (!isAuthError(error) || error.code === 'groups_unavailable');
}

function textOf(groups: readonly string[] | undefined): string {
  return groups === undefined ? 'nobody' : `[${[...groups].sort().join(' ')}]`;
}
