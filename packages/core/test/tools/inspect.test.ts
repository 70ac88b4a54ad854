// What one reading of a keyset tells. What makes a key unusable is tested with the import of keys.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { ConfigError } from '../../src/errors.ts';
import { generateJwk, publicJwk } from '../../src/jwk/generate.ts';
import { createMemoryStore } from '../../src/secrets/store.ts';
import { inspectKeyset } from '../../src/tools/inspect.ts';
import type { JsonObject } from '../../src/values/json.ts';

const jwk = await generateJwk('ES256', 'good');
const half: JsonObject = publicJwk(jwk) ?? {};
const encryption = { ...half, kid: 'other', use: 'enc' };
const FOUND = {
  keys: [{ kid: 'good', algorithms: ['ES256'] }],
  skipped: [{ kid: 'other', reason: 'use is not "sig"' }],
};

async function listen(answer: () => object): Promise<{ readonly url: string; readonly asked: () => number }> {
  let asked = 0;
  const server = createServer((_request, response) => {
    asked++;
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answer()));
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`, asked: () => asked };
}

it('keys in a secret, and those that are skipped', async () => {
  const text = JSON.stringify({ keys: [jwk, encryption] });
  const secrets = createMemoryStore({ signing: { 'jwks.json': text } });
  expect(await inspectKeyset({ secret: { name: 'signing' } }, { secrets })).toEqual(FOUND);
  const externalSecrets = createMemoryStore({ vault: { 'jwks.json': text } });
  expect(await inspectKeyset({ externalSecret: { name: 'vault' } }, { externalSecrets })).toEqual(FOUND);
});

it('keys that are in the options', async () => {
  expect(await inspectKeyset({ jwks: { keys: [half, encryption] } })).toEqual(FOUND);
});

it('keys behind a URL, which is asked once', async () => {
  const { url, asked } = await listen(() => ({ keys: [half, encryption] }));
  expect(await inspectKeyset({ jwksUrl: url, allowHttp: true })).toEqual(FOUND);
  expect(asked()).toBe(1);
});

it('nothing of the key material', async () => {
  const secrets = createMemoryStore({ signing: { 'jwks.json': JSON.stringify({ keys: [jwk] }) } });
  const found = await inspectKeyset({ secret: { name: 'signing' } }, { secrets });
  for (const member of ['d', 'x', 'y']) expect(JSON.stringify(found)).not.toContain(String(jwk[member]));
});

it('an empty set has no keys, and neither has a keyset whose tokens say where they are', async () => {
  const { url } = await listen(() => ({ keys: [] }));
  expect(await inspectKeyset({ jwksUrl: url, allowHttp: true })).toEqual({ keys: [], skipped: [] });
  expect(await inspectKeyset({ jwksHosts: ['keys.example.com'] })).toEqual({ keys: [], skipped: [] });
});

it('a source that fails rejects with its own error', async () => {
  const { url } = await listen(() => ({ no: 'keys' }));
  await expect(inspectKeyset({ jwksUrl: url, allowHttp: true })).rejects.toThrow('expected a JWK Set');
  const reading = inspectKeyset({ secret: { name: 'signing' } }, { secrets: createMemoryStore() });
  await expect(reading).rejects.toThrow('the secret signing has no entry jwks.json');
});

it('options that cannot be right are a ConfigError under the name of the keyset', async () => {
  const name = 'keySets[3]';
  for (const options of [{ jwksUrl: 'http://keys.example.com' }, { jwks: { keys: [] } }, { secret: {} }]) {
    const error: unknown = await inspectKeyset(options as never, { name }).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as ConfigError).path).toMatch(/^keySets\[3\]/);
  }
  await expect(inspectKeyset({ secret: { name: 'signing' } }, { name })).rejects.toThrow(
    'keySets[3]: expected a secret store',
  );
});
