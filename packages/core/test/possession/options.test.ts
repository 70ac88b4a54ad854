// Options of DPoP: what is refused at start, and with which path.
import { expect, it } from 'vitest';
import { prepareAuthentication } from '../../src/adapter/decide.ts';
import { createAuthenticator } from '../../src/decision/authenticator.ts';
import { requireAny } from '../../src/decision/combine.ts';
import { PUBLIC } from './bench.ts';

const GOOD = { keySets: [{ issuer: 'i', jwksUrl: 'https://keys.example/jwks' }], audience: 'a' };
const DPOP = { mode: 'allowed', publicUrl: PUBLIC } as const;
const create = (more: object) => createAuthenticator({ ...GOOD, ...more } as never);

it.each([
  [{ mode: 'on' }, 'dpop.mode'],
  [{}, 'dpop.mode'],
  [{ mode: 'allowed' }, 'dpop.publicUrl'],
  [{ mode: 'required' }, 'dpop.publicUrl'],
  [{ mode: 'allowed', publicUrl: 'api.example.com' }, 'dpop.publicUrl'],
  [{ mode: 'allowed', publicUrl: 'http://api.example.com' }, 'dpop.publicUrl'],
  [{ mode: 'allowed', publicUrl: 'https://user:secret@api.example.com' }, 'dpop.publicUrl'],
  [{ mode: 'allowed', publicUrl: 'https://api.example.com/?a' }, 'dpop.publicUrl'],
  [{ mode: 'allowed', publicUrl: 'https://api.example.com/#a' }, 'dpop.publicUrl'],
  [{ mode: 'allowed', publicUrl: 'https://api.example.com/ä' }, 'dpop.publicUrl'],
  [{ mode: 'allowed', publicUrl: [] }, 'dpop.publicUrl'],
  [{ mode: 'allowed', publicUrl: [PUBLIC, 'a'] }, 'dpop.publicUrl[1]'],
  [{ mode: 'off', publicUrl: 'a' }, 'dpop.publicUrl'],
  [{ ...DPOP, algorithms: [] }, 'dpop.algorithms'],
  [{ ...DPOP, algorithms: ['HS256'] }, 'dpop.algorithms[0]'],
  [{ ...DPOP, algorithms: ['none'] }, 'dpop.algorithms[0]'],
  [{ ...DPOP, maxAge: '0s' }, 'dpop.maxAge'],
  [{ ...DPOP, maxAge: '11m' }, 'dpop.maxAge'],
  [{ ...DPOP, clockSkew: '61s' }, 'dpop.clockSkew'],
  [{ ...DPOP, replayEntries: 0 }, 'dpop.replayEntries'],
  [{ ...DPOP, replayEntries: 10_000_001 }, 'dpop.replayEntries'],
  [{ ...DPOP, unsafeReplayFailure: true }, 'dpop.unsafeReplayFailure'],
  [{ ...DPOP, nonces: true }, 'dpop.nonces'],
  [{ ...DPOP, nonce: true }, 'dpop.nonce'],
  [{ ...DPOP, nonce: { lifetime: '9s' } }, 'dpop.nonce.lifetime'],
  [{ ...DPOP, nonce: { lifetime: '2h' } }, 'dpop.nonce.lifetime'],
  [{ ...DPOP, nonce: { secret: 'a'.repeat(31) } }, 'dpop.nonce.secret'],
])('dpop: %j is refused at %s', (dpop, path) => {
  expect(() => create({ dpop })).toThrow(expect.objectContaining({ name: 'ConfigError', path }));
});

it.each([
  [{ dpop: DPOP, unsafeAcceptSenderConstrained: true }, 'unsafeAcceptSenderConstrained'],
  [{ dpop: DPOP, tokenFrom: [{ header: 'Authorization', scheme: 'DPoP' }] }, 'tokenFrom'],
  [{ dpop: DPOP, tokenFrom: [{ header: 'authorization', scheme: null }] }, 'tokenFrom'],
  [{ dpop: DPOP, replayStore: {} }, 'replayStore'],
  [{ dpop: DPOP, replayStore: { use: true } }, 'replayStore'],
  [{ routes: { pay: { dpop: 'required' } } }, 'routes.pay.dpop'],
  [{ routes: { pay: { dpop: 'allowed' } } }, 'routes.pay.dpop'],
  [{ dpop: { mode: 'off' }, routes: { pay: { dpop: 'required' } } }, 'routes.pay.dpop'],
  [{ dpop: { ...DPOP, mode: 'required' }, routes: { pay: { dpop: 'allowed' } } }, 'routes.pay.dpop'],
  [{ dpop: DPOP, routes: { pay: { dpop: 'off' } } }, 'routes.pay.dpop'],
])('%j is refused at %s', (options, path) => {
  expect(() => create(options)).toThrow(expect.objectContaining({ name: 'ConfigError', path }));
});

it.each([
  [{ dpop: 'required' }, {}, 'access.dpop'],
  [{ dpop: 'allowed' }, {}, 'access.dpop'],
  [{ dpop: 'allowed' }, { dpop: { ...DPOP, mode: 'required' } }, 'access.dpop'],
  [{ dpop: 'required', mode: 'optional' }, { dpop: DPOP }, 'access.mode'],
])('a route with %j is refused at start with options %j', (access, options, path) => {
  const prepare = () => prepareAuthentication(create(options), access as never);
  expect(prepare).toThrow(expect.objectContaining({ name: 'ConfigError', path }));
});

it('a route of a combination needs all that it decides by', () => {
  const [on, off] = [create({ dpop: DPOP }), create({})];
  const prepare = (...sources: object[]) =>
    prepareAuthentication(requireAny({ ...sources } as never) as never, { dpop: 'required' });
  expect(() => prepare(on, off)).toThrow(expect.objectContaining({ path: 'access.dpop' }));
  expect(() => prepare(on, on)).not.toThrow();
});

it.each([
  { mode: 'off' },
  { mode: 'off', publicUrl: PUBLIC },
  { ...DPOP, publicUrl: 'http://127.0.0.1:3000' },
  { ...DPOP, publicUrl: [PUBLIC, `${PUBLIC}/v1/`] },
  { ...DPOP, algorithms: ['ML-DSA-87'], maxAge: '10m', clockSkew: '0s' },
])('dpop: %j is accepted', (dpop) => {
  expect(() => create({ dpop })).not.toThrow();
});
