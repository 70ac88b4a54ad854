// Tokens that verified before: good only at the times that their claims say, and while their keyset
// would find the same key for them again. Keysets and keys are objects written here; what
// authenticators make of this is in cached.test.ts.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { picker } from '@latchkey/test-kit/random';
import { createClock } from '@latchkey/testing';
import { describe, expect, it, vi } from 'vitest';
import {
  judgeRegisteredClaims,
  type RegisteredClaimsPolicy,
  registeredChecks,
  validityOf,
} from '../../src/claims/registered.ts';
import {
  createVerifiedTokens,
  type VerifiedToken,
  type VerifiedTokens,
} from '../../src/decision/verified-tokens.ts';
import { AuthError } from '../../src/errors.ts';
import type { VerificationKey } from '../../src/jwk/import-jwks.ts';
import {
  createSnapshot,
  type KeySelection,
  type KeySnapshot,
  type Keyset,
} from '../../src/keysets/keyset.ts';
import { selectKeys } from '../../src/keysets/select.ts';
import type { AlgorithmName } from '../../src/token/algorithms.ts';
import type { UnverifiedHeader } from '../../src/token/parse.ts';
import type { JsonObject } from '../../src/values/json.ts';

// Every token is admitted the first time: here it matters what becomes of a token that is kept.
vi.mock('../../src/decision/token-frequency.ts', () => {
  let uses = 2;
  return { createTokenFrequency: () => ({ generation: 0, note: () => uses++ }) };
});

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const LIMITS = { tokens: 100, bytes: 1024 * 1024 };
const NOW = 1_700_000_000_000;
const ALWAYS = { fromMs: 0, untilMs: Number.POSITIVE_INFINITY };
const TOKEN = `header.payload.${'s'.repeat(43)}`;
const MADE = { is: 'made of it' };

/** Which key of the tests it is says its thumbprint; the one that signed is `signer`. */
function key(
  kid: string | undefined,
  thumbprint = 'signer',
  algorithms: readonly AlgorithmName[] = ['ES256'],
): VerificationKey {
  return {
    kid,
    x5t: undefined,
    x5tS256: undefined,
    thumbprint,
    verifiers: new Map(algorithms.map((name) => [name, () => false])),
  };
}

const headerOf = (kid: string | undefined): UnverifiedHeader => ({
  alg: 'ES256',
  kid,
  x5t: undefined,
  x5tS256: undefined,
  typ: undefined,
  jku: undefined,
});

interface TestKeyset extends Keyset {
  /** What it has, or how it fails. */
  has: KeySnapshot | Promise<KeySnapshot> | (() => never);
  readonly asked: UnverifiedHeader[];
}

function keysetOf(has: TestKeyset['has'], selection: KeySelection = { kidless: 'first' }): TestKeyset {
  const asked: UnverifiedHeader[] = [];
  const keyset: TestKeyset = {
    has,
    asked,
    name: 'keySets[0]',
    isLoaded: () => true,
    issuer: undefined,
    allowed: undefined,
    selection,
    keys(header) {
      asked.push(header);
      return typeof keyset.has === 'function' ? keyset.has() : keyset.has;
    },
    refetch: () => {
      throw new Error('expected no fetch for a known token');
    },
    ready: () => Promise.resolve(),
    report: () => {
      throw new Error('not asked');
    },
    close: () => Promise.resolve(),
  };
  return keyset;
}

interface Remembered {
  readonly known: VerifiedTokens<typeof MADE>;
  readonly keyset: TestKeyset;
  readonly recall: () => VerifiedToken<typeof MADE> | undefined;
}

/** A token with this kid, verified by the first key of the set that is the signer. */
function remember(keys: readonly VerificationKey[], kid: string | undefined): Remembered {
  const snapshot = createSnapshot(keys);
  // PEM files have no names: any token tries each.
  const keyset = Object.assign(keysetOf(snapshot), {
    selection: { kidless: 'first', unnamed: kid === 'x' } as const,
  });
  const signer = keys.find(({ thumbprint }) => thumbprint === 'signer');
  if (signer === undefined) throw new Error('no key signed it');
  const known = createVerifiedTokens<typeof MADE>(LIMITS, createClock(NOW));
  const by = {
    keyset,
    key: signer,
    header: headerOf(kid),
    algorithm: 'ES256' as const,
    snapshots: [{ keyset, snapshotId: snapshot.id }],
  };
  known.set(TOKEN, { claims: {}, by, made: MADE }, ALWAYS);
  return { known, keyset, recall: () => known.get(TOKEN) };
}

vi.mock('../../src/decision/token-frequency.ts', () => {
  let uses = 2;
  return { createTokenFrequency: () => ({ generation: 0, note: () => uses++ }) };
});

describe('what is known', () => {
  it('is what was remembered, and only of this token', () => {
    const { known, recall } = remember([key('a')], 'a');
    expect(recall()?.made).toBe(MADE);
    expect(recall()).toBe(recall());
    expect(known.get(`x${TOKEN}`)).toBeUndefined();
    expect(known.get('')).toBeUndefined();
    known.clear();
    expect(recall()).toBeUndefined();
  });

  it('is nothing any more after the end, whatever verifies then', () => {
    const { known, keyset, recall } = remember([key('a')], 'a');
    const { id: snapshotId } = createSnapshot([key('a')]);
    known.clear();
    const by = {
      keyset,
      key: key('a'),
      header: headerOf('a'),
      algorithm: 'ES256' as const,
      snapshots: [{ keyset, snapshotId }],
    };
    known.set(TOKEN, { claims: {}, by, made: MADE }, ALWAYS);
    expect(recall()).toBeUndefined();
  });

  it('what is made anew each time is not kept', () => {
    const snapshot = createSnapshot([key('a')]);
    const known = createVerifiedTokens<typeof MADE>(LIMITS, createClock(NOW));
    const claims = { sub: 'alice' };
    const by = {
      keyset: keysetOf(snapshot),
      key: key('a'),
      header: headerOf('a'),
      algorithm: 'ES256' as const,
      snapshots: [{ keyset: keysetOf(snapshot), snapshotId: snapshot.id }],
    };
    known.set(TOKEN, { claims, by, made: undefined }, ALWAYS);
    expect(known.get(TOKEN)).toMatchObject({ made: undefined });
    expect(known.get(TOKEN)?.claims).toBe(claims);
    expect(known.get(TOKEN)?.keyset).toBe(by.keyset);
  });

  it('jku: the keyset is asked with the header of the token', () => {
    const { keyset, recall } = remember([key('a')], 'a');
    recall();
    expect(keyset.asked).toEqual([headerOf('a')]);
  });
});

describe('T-144: times', () => {
  function at(validity: { readonly fromMs: number; readonly untilMs: number }, now: unknown): boolean {
    const snapshot = createSnapshot([key('a')]);
    const known = createVerifiedTokens<typeof MADE>(LIMITS, { now: () => now as number });
    const by = {
      keyset: keysetOf(snapshot),
      key: key('a'),
      header: headerOf('a'),
      algorithm: 'ES256' as const,
      snapshots: [{ keyset: keysetOf(snapshot), snapshotId: snapshot.id }],
    };
    known.set(TOKEN, { claims: {}, by, made: MADE }, validity);
    return known.get(TOKEN) !== undefined;
  }

  it.each([
    [NOW - 1, false],
    [NOW, true],
    [NOW + 0.5, true],
    [NOW + 9, true],
    [NOW + 9.999, true],
    [NOW + 10, false],
    [NOW + 11, false],
  ])('T-144: %d is in it: %s', (now, expected) => {
    expect(at({ fromMs: NOW, untilMs: NOW + 10 }, now)).toBe(expected);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, undefined, {}, 'soon'])(
    'T-144: a clock that says %s says no time',
    (now) => {
      expect(at({ fromMs: NOW, untilMs: NOW + 10 }, now)).toBe(false);
      expect(at(ALWAYS, now)).toBe(false);
    },
  );

  // BUG: what is compared is turned into a number first. `judgeRegisteredClaims` says of each of
  // these that the clock gave no time.
  it.each([
    ['null', null],
    ['a text', String(NOW)],
    ['a bigint', BigInt(NOW)],
    ['a Date', new Date(NOW)],
    ['true', true],
    ['a list', [NOW]],
  ])('T-144: a clock that says %s says no time', (_, now) => {
    expect(at(ALWAYS, now)).toBe(false);
  });

  it('T-144: once out of its time, it has to be verified again', () => {
    const clock = createClock(NOW);
    const snapshot = createSnapshot([key('a')]);
    const known = createVerifiedTokens<typeof MADE>(LIMITS, clock);
    const by = {
      keyset: keysetOf(snapshot),
      key: key('a'),
      header: headerOf('a'),
      algorithm: 'ES256' as const,
      snapshots: [{ keyset: keysetOf(snapshot), snapshotId: snapshot.id }],
    };
    known.set(TOKEN, { claims: {}, by, made: MADE }, { fromMs: NOW, untilMs: NOW + 10 });
    clock.advance(10);
    expect(known.get(TOKEN)).toBeUndefined();
    clock.advance(-5);
    expect(known.get(TOKEN)).toBeUndefined();
  });

  it('T-144, R14: validityOf says of any claims what judgeRegisteredClaims says, to the millisecond', () => {
    const pick = picker(144);
    const some = <T>(...choices: readonly T[]): T => choices[pick(choices.length)] as T;
    const outcome = (claims: JsonObject, policy: RegisteredClaimsPolicy, now: number): boolean => {
      try {
        return judgeRegisteredClaims(registeredChecks(policy), claims, now) === undefined;
      } catch (error) {
        if (error instanceof AuthError) return false;
        throw error;
      }
    };
    const seconds = () =>
      NOW / 1000 + some(-300, -60, -1, 0, 0.5, 0.0014, 0.1 + 0.2, 1, 60, 300, 0.123456789);
    const seen = { judged: 0, inside: 0 };
    while (seen.judged < 20_000) {
      const claims: Record<string, number> = {};
      for (const name of ['exp', 'nbf', 'iat']) if (pick(3) > 0) claims[name] = some(seconds(), 0, seconds());
      const policy: RegisteredClaimsPolicy = {
        audience: null,
        clockSkewMs: some(0, 1, 5_000, 60_000),
        requireExp: some(true, false),
        treatIatAsNbf: some(true, false),
        maxTokenAgeMs: some(undefined, undefined, 0, 1, 500, 60_000),
      };
      const { fromMs, untilMs } = validityOf(claims, policy);
      const times = [fromMs, untilMs, NOW, ...Object.values(claims).map((value) => value * 1000)]
        .flatMap((time) => [
          time - 1,
          time,
          time + 1,
          Math.floor(time),
          Math.ceil(time),
          time - 5_000,
          time + 5_000,
        ])
        .filter((time) => Number.isFinite(time) && time >= 0);
      // Claims that are never accepted never get here.
      if (!times.some((time) => outcome(claims, policy, time))) continue;
      for (const time of times) {
        const inside = time >= fromMs && time < untilMs;
        expect(inside, JSON.stringify({ claims, policy, time })).toBe(outcome(claims, policy, time));
        seen.judged++;
        if (inside) seen.inside++;
      }
    }
    expect(seen.inside).toBeGreaterThan(4_000);
    expect(seen.inside).toBeLessThan(18_000);
  });

  it('T-144: claims without any time are good at all times after 1970', () => {
    const policy = { audience: null, clockSkewMs: 0, requireExp: false };
    expect(validityOf({}, policy)).toEqual({ fromMs: 0, untilMs: Number.POSITIVE_INFINITY });
  });
});

describe('T-145, R3: the key', () => {
  type Case = readonly [
    title: string,
    kid: string | undefined,
    before: readonly VerificationKey[],
    after: readonly VerificationKey[],
    known: boolean,
  ];
  const other = key('b', 'other');
  const CASES: readonly Case[] = [
    ['the same set, read again', 'a', [key('a')], [key('a')], true],
    ['another key joins it', 'a', [key('a')], [key('a'), other], true],
    ['another key joins it in front', 'a', [key('a')], [other, key('a')], true],
    ['another key leaves', 'a', [key('a'), other], [key('a')], true],
    ['the order changes', 'a', [key('a'), other], [other, key('a')], true],
    ['another key joins its kid', 'a', [key('a')], [key('a', 'other'), key('a')], true],
    ['it takes more algorithms', 'a', [key('a')], [key('a', 'signer', ['ES256', 'ES384'])], true],
    ['it leaves', 'a', [key('a'), other], [other], false],
    ['all leave', 'a', [key('a')], [], false],
    ['another key has its kid', 'a', [key('a')], [key('a', 'other')], false],
    ['it has another kid', 'a', [key('a')], [key('b')], false],
    ['it has no kid any more', 'a', [key('a')], [key(undefined)], false],
    ['it has another kid, and another key has its', 'a', [key('a')], [key('a', 'other'), key('b')], false],
    ['it is for another algorithm', 'a', [key('a')], [key('a', 'signer', ['ES384'])], false],
    [
      'it is for fewer algorithms',
      'a',
      [key('a', 'signer', ['ES256', 'ES384'])],
      [key('a', 'signer', ['ES384'])],
      false,
    ],
    ['a kid that is a member of every object', 'constructor', [key('constructor')], [other], false],
    ['no kid, and the same set, read again', undefined, [key('a')], [key('a')], true],
    ['no kid, and the order changes', undefined, [key('a'), other], [other, key('a')], false],
    ['no kid, and it leaves', undefined, [key('a'), other], [other], false],
    // PEM files: whatever the token calls its key, each is tried.
    ['keys without names: the same', 'x', [key('thumb')], [key('thumb')], true],
    ['keys without names: the order changes', 'x', [key('thumb'), other], [other, key('thumb')], true],
    ['keys without names: it leaves', 'x', [key('thumb'), other], [other], false],
    ['keys without names: one of this name comes', 'x', [key('thumb')], [key('thumb'), key('x', 'o')], false],
  ];

  it.each(CASES)('T-145: %s', (_, kid, before, after, expected) => {
    const { keyset, recall } = remember(before, kid);
    expect(recall()?.made).toBe(MADE);
    keyset.has = createSnapshot(after);
    expect(recall() !== undefined).toBe(expected);
    expect(recall() !== undefined).toBe(expected);
  });

  it.each(CASES.filter(([, , , , known]) => !known))(
    'T-145: %s: and it does not come back by itself',
    (_, kid, before, after) => {
      const { keyset, recall } = remember(before, kid);
      keyset.has = createSnapshot(after);
      expect(recall()).toBeUndefined();
      keyset.has = createSnapshot(before);
      expect(recall()).toBeUndefined();
    },
  );

  it('T-145: through many sets, and then it leaves', () => {
    const { keyset, recall } = remember([key('a')], 'a');
    for (let round = 0; round < 100; round++) {
      keyset.has = createSnapshot([key(`n${round}`, `n${round}`), key('a')]);
      expect(recall()?.made).toBe(MADE);
    }
    keyset.has = createSnapshot([key('n100', 'n100')]);
    expect(recall()).toBeUndefined();
  });

  it('T-145: whatever happens to a set, nothing is known that would not be found again', () => {
    const pick = picker(145);
    const kids = [undefined, 'a', 'b'];
    const algorithms: readonly (readonly AlgorithmName[])[] = [['ES256'], ['ES384'], ['ES256', 'ES384']];
    const selections: readonly KeySelection[] = [
      { kidless: 'first' },
      { kidless: 'try-all' },
      { kidless: 'refuse' },
      { kidless: 'refuse', unnamed: true },
    ];
    // Three at most: of more than three of one name, see below.
    const set = () =>
      createSnapshot(
        Array.from({ length: pick(4) }, () =>
          key(kids[pick(3)], ['signer', 'other', 'third'][pick(3)], algorithms[pick(3)]),
        ),
      );
    const found = (snapshot: KeySnapshot, selection: KeySelection, kid: string | undefined) =>
      selectKeys(snapshot, selection, 'ES256', headerOf(kid)).candidates.find(
        ({ thumbprint }) => thumbprint === 'signer',
      );
    const seen = { remembered: 0, known: 0, lost: 0 };
    for (let round = 0; round < 60_000; round++) {
      const [snapshot, selection, kid] = [set(), selections[pick(4)] as KeySelection, kids[pick(3)]];
      const signer = found(snapshot, selection, kid);
      if (signer === undefined) continue;
      seen.remembered++;
      const keyset = keysetOf(snapshot, selection);
      const known = createVerifiedTokens<typeof MADE>(LIMITS, createClock(NOW));
      const by = {
        keyset,
        key: signer,
        header: headerOf(kid),
        algorithm: 'ES256' as const,
        snapshots: [{ keyset, snapshotId: snapshot.id }],
      };
      known.set(TOKEN, { claims: {}, by, made: MADE }, ALWAYS);
      for (let change = 0; change < 3; change++) {
        const next = set();
        keyset.has = next;
        const isKnown = known.get(TOKEN) !== undefined;
        if (isKnown) expect(found(next, selection, kid)).toBeDefined();
        seen[isKnown ? 'known' : 'lost']++;
      }
    }
    expect(seen.known).toBeGreaterThan(300);
    expect(seen.lost).toBeGreaterThan(10_000);
  });

  // BUG: three keys of one kid are tried for a token, and its key is looked for among all of them.
  it('T-145: the fourth key of one kid is not tried, and what it signed is not known', () => {
    const { keyset, recall } = remember([key('a')], 'a');
    const after = createSnapshot([...['1', '2', '3'].map((name) => key('a', name)), key('a')]);
    const { candidates } = selectKeys(after, keyset.selection, 'ES256', headerOf('a'));
    expect(candidates.map(({ thumbprint }) => thumbprint)).toEqual(['1', '2', '3']);
    keyset.has = after;
    expect(recall()).toBeUndefined();
  });
});

describe('T-145, R3: a keyset that has no keys at hand', () => {
  it.each([
    ['is unavailable', new AuthError('keyset_unavailable')],
    ['breaks', new TypeError('broken')],
  ])('R3: one that %s knows no token', (_, error) => {
    const { keyset, recall } = remember([key('a')], 'a');
    const { has } = keyset;
    keyset.has = () => {
      throw error;
    };
    expect(recall()).toBeUndefined();
    keyset.has = has;
    expect(recall()).toBeUndefined();
  });

  it.each([
    ['has the same keys then', (same: KeySnapshot) => Promise.resolve(same)],
    ['fails then', () => Promise.reject(new AuthError('keyset_unavailable'))],
  ])('R3, T-134: one that has to look first, and %s', async (_, answer) => {
    const unhandled: unknown[] = [];
    const listener = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', listener);
    try {
      const { keyset, recall } = remember([key('a')], 'a');
      keyset.has = answer(keyset.has as KeySnapshot);
      expect(recall()).toBeUndefined();
      await nextTurn();
      await nextTurn();
      expect(unhandled).toEqual([]);
    } finally {
      process.off('unhandledRejection', listener);
    }
  });
});

describe('R13: what is held on to', () => {
  async function isGone(held: WeakRef<object>): Promise<boolean> {
    for (let turn = 0; turn < 5; turn++) {
      await nextTurn();
      collect();
    }
    return held.deref() === undefined;
  }

  it('R13: a token that is dropped holds no set of keys', async () => {
    const { keyset, recall } = remember([key('a')], 'a');
    const held = new WeakRef(keyset.has as KeySnapshot);
    keyset.has = createSnapshot([]);
    expect(recall()).toBeUndefined();
    expect(await isGone(held)).toBe(true);
  });

  // BUG: `by` goes into the entry as it is, and holds the set in which the key was first found;
  // nothing looks there again. A set with all its keys stays for each refresh in which some token
  // came for the first time, until 10,000 others have come, and is not counted.
  it('R13: a token that is found in a newer set does not hold the older one', async () => {
    const { keyset, recall } = remember([key('a')], 'a');
    const held = new WeakRef(keyset.has as KeySnapshot);
    keyset.has = createSnapshot([key('a')]);
    expect(recall()?.made).toBe(MADE);
    expect(await isGone(held)).toBe(true);
    expect(recall()?.made).toBe(MADE);
  });

  it('R13: a token that is not sent again does not keep a set that was replaced', async () => {
    const { known, keyset } = remember([key('a')], 'a');
    const held = new WeakRef(keyset.has as KeySnapshot);
    keyset.has = createSnapshot([key('b', 'other')]);
    expect(await isGone(held)).toBe(true);
    expect(known.get(TOKEN)).toBeUndefined();
  });
});
