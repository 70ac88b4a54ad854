// The ages of keys while a descriptor changes: those of the keysets in force, at once and by their
// present places.
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthenticator } from '@latchkey/core';
import { createIssuer, type TestIssuer } from '@latchkey/testing';
import { expect, it, onTestFinished } from 'vitest';
import { samplesIn, startMetrics } from './service.ts';

const applied = () =>
  new Promise<void>((resolve) => {
    const listener = () => {
      unsubscribe('latchkey:descriptor:applied', listener);
      resolve();
    };
    subscribe('latchkey:descriptor:applied', listener);
  });

it('has the keysets in force after a change, by their places, and no others', async () => {
  const { scrape } = await startMetrics();
  const [first, second, other] = await Promise.all([createIssuer(), createIssuer(), createIssuer()]);
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-test-'));
  const file = join(folder, 'service.yaml');
  const write = (...issuers: readonly TestIssuer[]) => {
    const keySets = issuers.map(({ issuer, jwksUrl }) => ({ issuer, jwksUrl, allowHttp: true }));
    return writeFile(file, `${JSON.stringify({ service: { jwt: { audience: 'a', keySets } } })}\n`);
  };
  await write(first);
  const authenticator = createAuthenticator({ descriptor: file });
  const inCode = createAuthenticator({
    keySets: [{ issuer: other.issuer, jwksUrl: other.jwksUrl, allowHttp: true }],
    audience: null,
  });
  onTestFinished(async () => {
    await Promise.all([authenticator, inCode, first, second, other].map((one) => one.close()));
    await rm(folder, { recursive: true });
  });
  await Promise.all([authenticator.ready(), inCode.ready()]);
  const ages = async () => {
    const samples = samplesIn(await scrape()).filter(
      ({ name, value }) => name === 'latchkey_keyset_age' && value > 0,
    );
    return samples.map(({ labels }) => `${labels.latchkey_keyset} ${labels.latchkey_issuer}`).toSorted();
  };
  const ofOther = `keySets[0] ${other.issuer}`;
  const sorted = (...all: readonly string[]) => all.toSorted();
  expect(await ages()).toEqual(sorted(`keySets[0] ${first.issuer}`, ofOther));

  let change = applied();
  await write(second, first);
  await change;
  expect(await ages()).toEqual(sorted(`keySets[0] ${second.issuer}`, `keySets[1] ${first.issuer}`, ofOther));

  change = applied();
  await write(second);
  await change;
  expect(await ages()).toEqual(sorted(`keySets[0] ${second.issuer}`, ofOther));
});

it('says no longer that keys are stale whose keyset is gone, and how old those are that stay', async () => {
  const { scrape } = await startMetrics();
  const stale = { keyset: 'keySets[0]', issuer: 'https://old.example', ageMs: 90_000 };
  channel('latchkey:keyset:stale').publish(stale);
  const values = async () =>
    samplesIn(await scrape())
      .filter(({ name }) => /^latchkey_keyset_(?:age|stale)$/.test(name))
      .map(({ name, labels, value }) => `${name} ${labels.latchkey_issuer} ${Math.floor(value)}`)
      .toSorted();
  expect(await values()).toEqual([
    'latchkey_keyset_age https://old.example 90',
    'latchkey_keyset_stale https://old.example 1',
  ]);
  const { ageMs: _age, ...removed } = stale;
  const keysets = [{ keyset: 'keySets[0]', issuer: 'https://new.example', ageMs: 30_000, state: 'stale' }];
  channel('latchkey:descriptor:applied').publish({ file: 'service.yaml', keysets, removed: [removed] });
  expect(await values()).toEqual([
    'latchkey_keyset_age https://new.example 30',
    'latchkey_keyset_age https://old.example 0',
    'latchkey_keyset_stale https://new.example 1',
    'latchkey_keyset_stale https://old.example 0',
  ]);
});
