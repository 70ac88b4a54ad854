// Every name that this package exports. Add one deliberately: removing it later breaks
// applications.
import * as core from '@latchkey/core';
import * as signingOfCore from '@latchkey/core/signing';
import { expect, it } from 'vitest';
import * as signing from '../src/core-signing.ts';
import * as adapter from '../src/index.ts';
import * as websockets from '../src/websockets.ts';

it('exports what core exports at its root, and these values', () => {
  const own = Object.keys(adapter).filter((name) => !Object.hasOwn(core, name));
  expect({ ...adapter }).toMatchObject({ ...core });
  expect(own.sort()).toEqual([
    'Auth',
    'Authenticate',
    'LATCHKEY_AUTHENTICATOR',
    'LatchkeyGuard',
    'LatchkeyModule',
    'Public',
    'RequireClaims',
    'SignResponse',
    'healthCheck',
    'publishKeys',
    'publishResource',
    'receiveEvents',
    'recentDecisions',
    'routes',
    'secureDocument',
  ]);
});

it('./signing exports what core exports there', () => {
  expect({ ...signing }).toEqual({ ...signingOfCore });
});

it('./websockets exports these values', () => {
  expect(Object.keys(websockets).sort()).toEqual(['WebSocketRefusalFilter', 'authenticateWebSockets']);
});
