// The number of series does not depend on what clients send: keys, issuers and paths at random.
import { createAuthenticator } from '@latchkey/core';
import { compileAccess, decide, type RequestView } from '@latchkey/core/adapter';
import { generateSigningKey } from '@latchkey/testing';
import { expect, it } from 'vitest';
import { samplesIn, startMetrics } from './service.ts';

/** The events are checked for 100,000, in core. */
const REQUESTS = 3_000;

const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

it('random kids, issuers and paths leave the number of label values unchanged', async () => {
  const { scrape } = await startMetrics();
  const { publicJwk } = await generateSigningKey('ES256', 'one');
  const authenticator = createAuthenticator({
    keySets: [{ issuer: 'https://login.example.com', jwks: { keys: [publicJwk] } }],
    audience: 'orders',
  });
  const access = compileAccess({});
  const place = { framework: 'test', routeOf: () => '/orders/:id' };
  const signature = Buffer.alloc(64, 1).toString('base64url');
  const ask = (index: number) => {
    const kid = index % 3 === 0 ? 'one' : `kid-${index}`;
    const iss = index % 2 === 0 ? 'https://login.example.com' : `https://${index}.example.com`;
    const head = encoded({ alg: 'ES256', kid });
    const token = `${head}.${encoded({ iss, aud: `${index}`, sub: `user-${index}` })}.${signature}`;
    const authorization = `Bearer ${token}`;
    const url = `/orders/${index}?q=${index}`;
    const request: RequestView = { method: 'GET', url, headers: { authorization }, rawHeaders: [] };
    return decide(authenticator, request, access, place, undefined);
  };
  const values = async () => {
    const samples = samplesIn(await scrape());
    return {
      series: samples.length,
      labels: [...new Set(samples.flatMap(({ labels }) => Object.entries(labels).map(String)))].toSorted(),
      decisions: samples
        .filter(({ name }) => name === 'latchkey_decisions_total')
        .reduce((sum, { value }) => sum + value, 0),
    };
  };
  for (let index = 0; index < 12; index++) await ask(index);
  const before = await values();
  for (let index = 12; index < REQUESTS; index++) await ask(index);
  const after = await values();
  expect(after.decisions).toBe(REQUESTS);
  expect(after.labels).toEqual(before.labels);
  expect(after.series).toBe(before.series);
  expect(after.labels.filter((label) => /kid-|user-|orders\/\d|\d\.example/.test(label))).toEqual([]);
  await authenticator.close();
});
