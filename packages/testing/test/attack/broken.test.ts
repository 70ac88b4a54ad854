// The attack finds the hole of each broken service, and nothing else: the service without a hole
// gets an empty list. Those with a hole for tokens get all attacks on tokens, and the others all
// attacks on requests, because runs of all attacks take long.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ATTACKS } from '../../src/attack/attacks/all.ts';
import { type AttackReport, attack, createIssuer, type TestIssuer } from '../../src/index.ts';
import { BROKEN_CLAIMS } from './broken-claims.ts';
import { BROKEN_KEYS } from './broken-keys.ts';
import { BROKEN_REQUESTS } from './broken-requests.ts';
import { PATH, SOUND, type Steps, serviceOf, trustIn } from './sound.ts';

const ids = ATTACKS.map(({ id }) => id);
/** The rows about carriage, methods and paths, and a form that a loose header lets through. */
const isOfRequests = (id: string) => /^T-(?:07[4-8]|08|09|001)/.test(id);

let issuer: TestIssuer;
let otherIssuer: TestIssuer;
beforeAll(async () => {
  issuer = await createIssuer();
  otherIssuer = await createIssuer();
});
afterAll(() => Promise.all([issuer.close(), otherIssuer.close()]));

async function attacked(steps: Partial<Steps>, only: readonly string[]) {
  const trust = trustIn(issuer.audience, issuer, otherIssuer);
  const [own, other] = [issuer.options, otherIssuer.options];
  return attack({
    target: serviceOf({ ...SOUND, ...steps }, trust),
    routes: [{ path: PATH, requires: { scope: 'read' } }],
    options: { ...own, keySets: [...own.keySets, ...other.keySets] },
    issuer,
    otherIssuer,
    publicPaths: ['/health'],
    only,
  });
}

it('a service without a hole lets nothing in', async () => {
  const report = await attacked({}, ids);
  expect(report.summary).toMatch(/^0 of \d+ attacks were let in, \d+ do not apply\.$/);
  report.assertSafe();
});

describe.each([
  ...[...BROKEN_KEYS, ...BROKEN_CLAIMS].map((broken) => ({
    ...broken,
    only: ids.filter((id) => !isOfRequests(id)),
  })),
  ...BROKEN_REQUESTS.map((broken) => ({ ...broken, only: ids.filter(isOfRequests) })),
])('a service that $name', ({ steps, letIn, broke = [], only }) => {
  it('is found out', async () => {
    const report = await attacked(steps, only);
    const idsOf = (results: AttackReport['attacks']) => results.map(({ id }) => id).toSorted();
    expect(idsOf(report.letIn)).toEqual(letIn.toSorted());
    expect(idsOf(report.broke)).toEqual(broke);
    expect(() => report.assertSafe()).toThrow(/^[1-9]\d* of \d+ attacks w|broke the service/);
  });
});
