// Looks groups up while the directory stops and starts, and checks that each answer is exactly
// right. The load is in directory.ts.
import { type Authenticator, createAuthenticator, createMemoryStore, isAuthError } from '@latchkey/core';
import { createLdapGroups, type LdapGroups } from '@latchkey/ldap';
import { GROUPS, PEOPLE } from '@latchkey/test-kit/directory';
import { PASSWORD, READER } from '@latchkey/test-kit/slapd';
import { generateSigningKey, mint, type SigningKey } from '@latchkey/testing';
import { sharedNow } from './companion.ts';
import { PERSONS, STRANGERS } from './people.ts';
import { AUDIENCE, ISSUER, presented } from './tokens.ts';

/**
 * Finds the groups of a subject; undefined for an unknown subject. Rejects if the directory is
 * unavailable.
 */
export type Find = (subject: string) => Promise<readonly string[] | undefined>;

/** The results of all lookups so far. */
export interface Answers {
  readonly right: number;
  /** Wrong groups, no groups for a known subject, and groups for an unknown subject. */
  readonly wrong: readonly string[];
  /** The number of errors that say that the directory is unavailable. */
  readonly unavailable: number;
  /** Errors of other kinds. */
  readonly odd: readonly string[];
  readonly slowestMs: number;
}

/** One way to look groups up. */
export interface Asker {
  readonly name: string;
  readonly find: Find;
  /** Looks up the next subject and judges the answer. Never rejects. */
  ask(): Promise<void>;
  /** The time of the next right groups, by `sharedNow()`; undefined until then. */
  nextRight(): { readonly at: number | undefined };
  readonly answers: Answers;
}

/** Both ways, each with its own connections. */
export interface Askers {
  /**
   * As a service does it: a request with a token, then the groups, behind the breaker of the groups
   * source.
   */
  readonly service: Asker;
  /** The resolver alone. */
  readonly resolver: Asker;
  close(): Promise<void>;
}

/** Small, so that the groups of some subjects need several pages. */
const PAGE_SIZE = 8;

/** Creates both for a directory. Nothing is cached. */
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
    // `groups` claims of tokens are ignored.
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
      wrong.push(`${subject}: ${textOf(found)} instead of ${textOf(expected)}`);
      return;
    }
    right++;
    // Counts only known subjects, because an answer for an unknown one could come without the
    // directory.
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
      return principal?.groups ?? ['passed without a principal'];
    } catch (error) {
      if (isAuthError(error) && error.code === 'token_rejected') return undefined;
      throw error;
    }
  };
}

function findByResolver(groups: LdapGroups): Find {
  return (subject) => groups.resolve({ subject, issuer: ISSUER }, new AbortController().signal);
}

/** True for an error that says that the directory is unavailable, and not for an internal error. */
function isUnavailable(error: unknown): boolean {
  const cause = isAuthError(error) ? error.cause : error;
  const isExpected = cause instanceof Error && !/please report/.test(cause.message);
  return isExpected && (!isAuthError(error) || error.code === 'groups_unavailable');
}

function textOf(groups: readonly string[] | undefined): string {
  return groups === undefined ? 'unknown' : `[${[...groups].sort().join(' ')}]`;
}
