// Reload, rotation and outage together: schedules of crossed events, each from a seed, under a
// clock that the test moves, against a simple model. The file, its parsing, the authenticator and
// its keysets are the real ones; key servers are secret stores that fail.
import { createHmac } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seeded } from '@latchkey/test-kit/random';
import { forge } from '@latchkey/testing';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { stringify } from 'yaml';
import { createAuthenticator, isAuthError, type SecretStore } from '../../src/index.ts';

const SEEDS = 1_000;
const STEPS = 7;
const SECOND = 1_000;
const MAX_STALE_MS = 180 * SECOND;
const REFRESH_MS = 60 * SECOND;
/**
 * Longer than the longest pause between two attempts, and than the pause between two looks at the
 * file.
 */
const WELL_AFTER_MS = 35 * SECOND;
const COOLDOWN_MS = 10 * SECOND;
const WHOLE_AFTER_MS = 2 * SECOND;
const ISSUERS = ['a', 'b', 'c'] as const;
/** Two places of keys for each issuer. */
const SOURCES = ISSUERS.flatMap((issuer) => [`${issuer}1`, `${issuer}2`]);
const EXP = 4_000_000_000;

type Form = 'json' | 'yaml' | 'marked';

/** What a descriptor says. */
interface Text {
  /** By issuer, where its keys are. */
  readonly keysets: Readonly<Record<string, string>>;
  readonly dept: 'IT' | undefined;
  readonly audience: readonly string[];
}

interface Probe {
  readonly issuer: string;
  readonly source: string;
  readonly kid: string;
  readonly dept: string;
  readonly aud: string;
  readonly isForged: boolean;
  readonly token: string;
}

/** A place of keys, and what the model knows of it. */
interface Place {
  kids: readonly string[];
  isUp: boolean;
  changedAt: number;
  /** From when on it may not have been read: it was up for too short a time since then. */
  unreadSince: number;
  /** When each key that is gone left. */
  readonly left: Map<string, number>;
}

const secretOf = (kid: string) => createHmac('sha256', 'seed').update(kid).digest();
const jwkTexts = new Map<string, string>();
function jwkTextOf(kid: string): string {
  const text =
    jwkTexts.get(kid) ??
    JSON.stringify({ kty: 'oct', kid, alg: 'HS256', k: secretOf(kid).toString('base64url') });
  jwkTexts.set(kid, text);
  return text;
}
const tokens = new Map<string, Probe>();

function probeOf(
  source: string,
  kid: string,
  more: Partial<Pick<Probe, 'dept' | 'aud' | 'isForged'>> = {},
): Probe {
  const { dept = 'IT', aud = 'me', isForged = false } = more;
  const issuer = source.slice(0, 1);
  const id = JSON.stringify([kid, dept, aud, isForged]);
  let probe = tokens.get(id);
  if (probe === undefined) {
    const token = forge({
      header: { kid, typ: 'JWT', alg: 'HS256' },
      payload: { iss: issuer, sub: 'alice', exp: EXP, aud, dept },
      signature: (input) =>
        createHmac('sha256', isForged ? 'other' : secretOf(kid))
          .update(input)
          .digest(),
    });
    probe = { issuer, source, kid, dept, aud, isForged, token };
    tokens.set(id, probe);
  }
  return probe;
}

const trusts = ({ keysets, dept, audience }: Text, probe: Probe, source = probe.source) =>
  keysets[probe.issuer] === source &&
  (dept === undefined || dept === probe.dept) &&
  audience.includes(probe.aud);

function write(text: Text, form: Form): string {
  const block = {
    service: {
      jwt: {
        audience: text.audience,
        cache: { tokens: 64 },
        ...(text.dept === undefined ? {} : { claims: { dept: text.dept } }),
        keySets: Object.entries(text.keysets).map(([issuer, name]) => ({
          issuer,
          secret: { name },
          refreshInterval: '1m',
          maxStale: '3m',
        })),
      },
    },
  };
  return form === 'json' ? JSON.stringify(block) : `${stringify(block)}${form === 'marked' ? '...\n' : ''}`;
}

let root: string;
/**
 * The file is not in the directory that is watched: what happens depends on the clock of the test
 * alone.
 */
let target: string;
let file: string;
let applied: () => void;
const onApplied = () => applied();

beforeAll(() => {
  // In memory, where there is such a place: the file is written some ten thousand times.
  root = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'latchkey-crossed-'));
  mkdirSync(join(root, 'real'));
  target = join(root, 'real', 'service.yaml');
  file = join(root, 'service.yaml');
  symlinkSync(target, file);
});
afterAll(() => rmSync(root, { recursive: true }));
beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance', 'Date'],
  });
  vi.setSystemTime(1_800_000_000_000);
  vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  subscribe('latchkey:descriptor:applied', onApplied);
});
afterEach(() => {
  unsubscribe('latchkey:descriptor:applied', onApplied);
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/**
 * Lets run what is ready. Nothing here waits for the machine: no step takes more than some
 * microtasks.
 */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 30; turn++) await undefined;
}

/** Both clocks, a second at a time: what a timer begins has ended before the next second. */
async function pass(ms: number): Promise<void> {
  await settle();
  for (let left = ms; left > 0; left -= SECOND) {
    vi.advanceTimersByTime(Math.min(left, SECOND));
    await settle();
  }
}

/** Runs one schedule. Fails with what happened. */
async function run(seed: number): Promise<void> {
  const random = seeded(seed);
  vi.spyOn(Math, 'random').mockImplementation(random);
  const below = (count: number) => Math.floor(random() * count);
  const pick = <T>(items: readonly T[]): T => items[below(items.length)] as T;
  const form = pick<Form>(['json', 'yaml', 'yaml', 'marked']);
  const log: string[] = [`seed ${seed}, ${form}`];
  const now = () => performance.now();

  const places = new Map<string, Place>(
    SOURCES.map((source) => [
      source,
      { kids: [`${source}-0`], isUp: true, changedAt: now(), unreadSince: now(), left: new Map() },
    ]),
  );
  const place = (source: string) => places.get(source) as Place;
  const secrets: SecretStore = {
    description: 'a key server',
    async read({ name }) {
      const { isUp, kids } = place(name);
      if (!isUp) throw new Error('down');
      return Buffer.from(`{"keys":[${kids.map(jwkTextOf).join()}]}`);
    },
  };

  /** The last text that was written whole, and the one in force. */
  let whole: Text = { keysets: { a: 'a1', b: 'b1' }, dept: undefined, audience: ['me'] };
  let inForce = whole;
  /**
   * The last one before it that was there for long enough to be known as whole: it may still wait
   * for its keys.
   */
  let stood = whole;
  /** Until when the file holds a part of a text only. */
  let partUntil: number | undefined;
  /** Keysets whose keys were at hand once, and that every text since then has. */
  const warm = new Set<string>();
  let wholeAt = now();
  /** Whether the last whole text had been still when a part took its place. */
  let hadStood = true;
  const isPartAlready = () => partUntil !== undefined;
  applied = () => {
    inForce = whole;
    log.push('applied');
  };
  writeFileSync(target, write(whole, form));
  const authenticator = createAuthenticator({ descriptor: file, secrets });

  function look(): void {
    authenticator.reload().catch(() => {});
  }

  function putWhole(text: Text): void {
    for (const source of [...warm]) if (text.keysets[source.slice(0, 1)] !== source) warm.delete(source);
    writeFileSync(target, write(text, form));
    if (form !== 'yaml' || now() - wholeAt >= WHOLE_AFTER_MS) stood = whole;
    whole = text;
    wholeAt = now();
    partUntil = undefined;
    look();
  }

  function change(): Text {
    const keysets = { ...whole.keysets };
    for (let count = 1 + below(2); count > 0; count--) {
      const issuer = pick(ISSUERS);
      const source = pick([`${issuer}1`, `${issuer}2`, undefined]);
      delete keysets[issuer];
      if (source !== undefined) keysets[issuer] = source;
    }
    if (Object.keys(keysets).length === 0) keysets.a = 'a1';
    return {
      keysets,
      dept: pick(['IT', undefined]),
      audience: pick([['me'], ['you'], ['me', 'you']]),
    };
  }

  const events: readonly (() => Promise<unknown> | unknown)[] = [
    () => {
      const text = change();
      log.push(`write ${JSON.stringify(text)}`);
      putWhole(text);
    },
    () => {
      if (form === 'json') return;
      // Written in its place, and not at once.
      const text = write(change(), form);
      const part = text.slice(0, below(text.length - 4));
      log.push(`write a part: ${JSON.stringify(part)}`);
      writeFileSync(target, part);
      hadStood = isPartAlready() ? hadStood : form !== 'yaml' || now() - wholeAt >= WHOLE_AFTER_MS;
      partUntil = form === 'marked' ? Number.POSITIVE_INFINITY : now() + WHOLE_AFTER_MS - 1;
      look();
    },
    () => {
      const source = pick(SOURCES);
      const one = place(source);
      if (one.isUp && now() - one.changedAt > WELL_AFTER_MS) one.unreadSince = now();
      one.isUp = !one.isUp;
      one.changedAt = now();
      log.push(`${source} is ${one.isUp ? 'up' : 'down'}`);
    },
    () => {
      const source = pick(SOURCES);
      const one = place(source);
      const next = `${source}-${1 + below(3)}`;
      for (const kid of one.kids) if (kid !== `${source}-0`) one.left.set(kid, now());
      one.left.delete(next);
      one.kids = [`${source}-0`, next];
      log.push(`${source} rotates to ${next}`);
    },
    () => {
      log.push('look');
      look();
    },
  ];

  async function verify(probe: Probe): Promise<string> {
    try {
      await authenticator.verify(probe.token);
      return 'good';
    } catch (error) {
      return isAuthError(error) ? error.code : String(error);
    }
  }

  async function check(): Promise<void> {
    const isPart = partUntil !== undefined;
    // A text that another took the place of before it was still is no more known to be whole than
    // that one.
    const meant = isPart && !hadStood ? stood : whole;
    for (const source of new Set([pick(SOURCES), pick(Object.values(whole.keysets))])) {
      const one = place(source);
      const forMs = now() - one.changedAt;
      const about = [
        probeOf(source, `${source}-0`),
        probeOf(source, pick([`${source}-1`, `${source}-2`, `${source}-3`])),
        pick([
          probeOf(source, `${source}-0`, { dept: 'HR' }),
          probeOf(source, `${source}-0`, { aud: 'you' }),
          probeOf(source, `${source}-0`, { isForged: true }),
        ]),
        probeOf(source, `${source}-none`),
      ];
      for (const probe of about) {
        const code = await verify(probe);
        const must = (holds: boolean, what: string) => {
          if (holds) return;
          throw new Error(
            `${log.join('\n')}\nat ${now()}: ${what}: ${JSON.stringify({ ...probe, token: '' })} is ${code}`,
          );
        };
        const isTrusted = [meant, inForce].every((text) => trusts(text, probe));
        // While a keyset changes, its old keys replace its new ones, and these the old
        // ones once they are there.
        const isMoved =
          trusts({ ...meant, keysets: { ...meant.keysets, [probe.issuer]: source } }, probe) &&
          meant.keysets[probe.issuer] !== undefined &&
          trusts(inForce, probe);
        const wasPublished = one.kids.includes(probe.kid) || one.left.has(probe.kid);

        // Never a token that the last whole text does not trust, nor the one in force; never one
        // that no key has signed.
        if (code === 'good') {
          must(isTrusted || isMoved, 'is not trusted');
          must(!probe.isForged && wasPublished, 'was signed by no key');
          // Never by keys that are older than they may be.
          must(one.isUp || forMs <= MAX_STALE_MS, 'its key is too old');
          // Never by a key that was taken away, once its source has been read again.
          const leftAt = one.left.get(probe.kid);
          if (leftAt !== undefined && one.isUp && forMs > REFRESH_MS + WELL_AFTER_MS)
            must(now() - leftAt <= REFRESH_MS + WELL_AFTER_MS, 'its key was taken away');
          if (isTrusted && probe.kid.endsWith('-0')) warm.add(source);
        }
        if (isPart && form !== 'marked') {
          // What a part of a text refuses is undecided, and no more than that.
          if (
            warm.has(source) &&
            isTrusted &&
            trusts(stood, probe) &&
            probe.kid.endsWith('-0') &&
            !probe.isForged
          )
            must(['good', 'keyset_unavailable'].includes(code), 'is good, or undecided');
          continue;
        }
        const isUndecided = form === 'yaml' && now() - wholeAt <= WHOLE_AFTER_MS;
        if (!warm.has(source) || !isTrusted || isUndecided) continue;
        const isWell = one.isUp && forMs > WELL_AFTER_MS;
        const isWithinBound = isWell || now() - one.unreadSince <= MAX_STALE_MS - REFRESH_MS;
        // No good token is refused: in an outage within the bound neither, and whatever else
        // changes.
        if (probe.kid.endsWith('-0') && !probe.isForged && isWithinBound) must(code === 'good', 'is good');
        if (probe.kid.endsWith('-none')) {
          // Whether there is such a key cannot be known while the source is down.
          if (!one.isUp && forMs > COOLDOWN_MS) must(code === 'keyset_unavailable', 'may be good');
          if (isWell) must(code === 'token_key_unknown', 'has no key');
        }
      }
    }
  }

  try {
    await authenticator.ready();
    for (let step = 0; step < STEPS; step++) {
      await pick(events)();
      await pass(0);
      await check();
      const ms = pick([100, 500, 3 * SECOND, 11 * SECOND, 40 * SECOND, 100 * SECOND]);
      const room = partUntil === undefined ? ms : Math.min(ms, Math.max(0, partUntil - now()));
      log.push(`pass ${room}`);
      await pass(room);
      // A writer that stops for longer leaves a text that looks whole.
      if (partUntil !== undefined && partUntil - now() < SECOND) putWhole(whole);
    }
    // Once all is well, what the file says is in force.
    for (const one of places.values()) Object.assign(one, { isUp: true, changedAt: now() });
    putWhole(whole);
    await pass(2 * WELL_AFTER_MS);
    log.push('all is well');
    expect(authenticator.report().descriptor.state, log.join('\n')).toBe('applied');
    expect(inForce, log.join('\n')).toEqual(whole);
    for (const source of Object.values(whole.keysets)) {
      const probe = probeOf(source, `${source}-0`, { aud: whole.audience[0] as string });
      expect(await verify(probe), `${log.join('\n')}\n${source}`).toBe('good');
    }
  } finally {
    await authenticator.close();
    expect(vi.getTimerCount(), log.join('\n')).toBe(0);
  }
}

it(`R3, R4, R20: ${SEEDS} schedules of crossed events`, { timeout: 120_000 }, async () => {
  for (let seed = 1; seed <= SEEDS; seed++) await run(seed);
});
