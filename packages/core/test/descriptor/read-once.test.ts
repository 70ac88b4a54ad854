// Reading options makes nothing: how often a descriptor is read, and how many HTTP callers are made
// of it.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateSigningKey, type SigningKey } from '@latchkey/testing';
import { beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { createAuthenticator, loadDescriptor } from '../../src/index.ts';
import { lintDescriptor, parseDescriptor } from '../../src/tools/index.ts';
import { temporaryFolder } from '../support/closing.ts';

const made = vi.hoisted(() => ({ callers: 0, readings: 0 }));

vi.mock(import('../../src/net/json-call.ts'), async (original) => {
  const actual = await original();
  const createJsonCaller: typeof actual.createJsonCaller = (settings) => {
    made.callers++;
    return actual.createJsonCaller(settings);
  };
  return { ...actual, createJsonCaller };
});

vi.mock(import('../../src/decision/settings.ts'), async (original) => {
  const actual = await original();
  const readOptions: typeof actual.readOptions = (value) => {
    made.readings++;
    return actual.readOptions(value);
  };
  return { ...actual, readOptions };
});

let key: SigningKey;
let directory: string;
let file: string;

beforeAll(async () => {
  key = await generateSigningKey('ES256', 'one');
});
beforeEach(async () => {
  directory = await temporaryFolder();
  file = join(directory, 'service.yaml');
  Object.assign(made, { callers: 0, readings: 0 });
});

const textOf = (audience: string) =>
  JSON.stringify({
    service: {
      jwt: {
        audience,
        keySets: [{ jwks: { keys: [key.publicJwk] } }],
        groups: { endpoint: { url: 'https://people.example/{sub}' } },
      },
    },
  });

it('loading a descriptor reads its options once, and makes no caller', async () => {
  await writeFile(file, textOf('me'));
  loadDescriptor(file);
  expect(made).toEqual({ callers: 0, readings: 1 });
});

it('an authenticator makes one caller at its start, and one for each change', async () => {
  await writeFile(file, textOf('me'));
  const authenticator = createAuthenticator({ descriptor: file });
  try {
    expect(made).toEqual({ callers: 1, readings: 1 });
    await writeFile(file, textOf('you'));
    await authenticator.reload();
    expect(made).toEqual({ callers: 2, readings: 2 });
    await authenticator.reload();
    expect(made).toEqual({ callers: 2, readings: 2 });
  } finally {
    await authenticator.close();
  }
});

it('lint makes no caller', async () => {
  expect(await lintDescriptor(parseDescriptor(textOf('me'), file))).not.toContainEqual(
    expect.objectContaining({ rule: 'refused' }),
  );
  expect(made).toEqual({ callers: 0, readings: 1 });
});
