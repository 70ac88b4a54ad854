// What the last decisions say, and a peer that is not of this machine: what cases as data cannot
// show.
import type { RecentDecision, RecentDecisions } from '@latchkey/core';
import { expect } from 'vitest';
import { type Application, type Started, start, withPeer } from './application.ts';
import { RECENT } from './cases/recent.ts';
import type { AdapterEvents } from './decisions.ts';
import { canary, tokens, type World } from './tokens.ts';

/** Checks that the last decisions are there, the latest first, and nothing of a token. */
export async function expectRecent(
  server: Started,
  world: World,
  adapter: AdapterEvents | undefined,
): Promise<void> {
  const token = await tokens['good, friends:read'](world);
  const get = (path: string, headers: readonly (readonly [string, string])[] = []) =>
    server.send({ method: 'GET', path, headers });
  const recent = async () => (await get(RECENT.local)).body;
  const before: RecentDecisions = JSON.parse(await recent());
  await get('/token');
  for (const sent of [token, await tokens.expired(world)])
    await get('/token', [['Authorization', `Bearer ${sent}`]]);
  const body = await recent();
  const { since, total, decisions }: RecentDecisions = JSON.parse(body);
  expect(since).toBe(before.since);
  expect(total).toBe(before.total + 3);
  expect(decisions).toHaveLength(Math.min(total, 100));
  const about = {
    ...(adapter === undefined ? {} : { framework: adapter.framework }),
    ...(adapter?.hasRoutes === true ? { route: '/token' } : {}),
  };
  const { issuer } = world.trusted;
  const told: readonly Partial<RecentDecision>[] = [
    { outcome: 'refused', code: 'token_expired', cached: false },
    { outcome: 'accepted', cached: false },
    { outcome: 'refused', code: 'credentials_missing', cached: false },
  ];
  expect(decisions.slice(0, 3)).toMatchObject(told.map((one) => ({ ...one, ...about })));
  expect(decisions.slice(0, 3).map((one) => one.issuer)).toEqual([issuer, issuer, undefined]);
  for (const { time, durationMs } of decisions) {
    expect(new Date(time).toISOString()).toBe(time);
    expect(durationMs).toBeGreaterThan(0);
  }
  const known = ['time', 'outcome', 'code', 'status', 'issuer', 'route', 'framework', 'durationMs', 'cached'];
  for (const name of decisions.flatMap(Object.keys)) expect(known).toContain(name);
  for (const secret of [...token.split('.'), canary, 'alice', `"${world.trusted.key.kid}"`])
    expect(body).not.toContain(secret);
}

/** Checks that another machine gets nothing, whatever its headers say. */
export async function expectOnlyLocal(application: Application): Promise<void> {
  let address: string | undefined;
  const fromElsewhere = withPeer(application, () => address);
  // A server of the runtime says itself who has sent a request.
  if (fromElsewhere === undefined) return;
  const server = await start(fromElsewhere);
  const asked = [
    ...['192.0.2.7', '::ffff:192.0.2.7', 'fe80::1', '128.0.0.1', '127.0.0.1.example', '', undefined],
    ...['127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1'],
  ];
  const answers: (readonly [address: string | undefined, status: number])[] = [];
  for (address of asked) {
    const { status } = await server.send({ method: 'GET', path: RECENT.local, headers: [] });
    answers.push([address, status]);
  }
  await server.close();
  expect(answers).toEqual(asked.map((one, index) => [one, index < 7 ? 403 : 200]));
}
