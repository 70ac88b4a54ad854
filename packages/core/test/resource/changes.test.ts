// The protected resource of a descriptor that changes, and those of several authenticators.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateSigningKey, type SigningKey } from '@latchkey/testing';
import { beforeAll, expect, it } from 'vitest';
import { resourcePublisher } from '../../src/adapter/publish-resource.ts';
import { createAuthenticator, requireAll, requireAny } from '../../src/index.ts';
import { closing, temporaryFolder } from '../support/closing.ts';

const PATH = '/.well-known/oauth-protected-resource';
let key: SigningKey;
beforeAll(async () => {
  key = await generateSigningKey();
});

/** A descriptor in YAML with the mark of its end, so that a change is taken at once. */
const textOf = (jwt: object) => {
  const keySets = [{ issuer: 'https://a.example', jwks: { keys: [key.publicJwk] } }];
  return `${JSON.stringify({ service: { jwt: { keySets, ...jwt } } })}\n...\n`;
};
const ask = { method: 'GET', url: '/', headers: {} };

it('follows a descriptor: the document, its path, the challenge and the audience', async () => {
  const file = join(await temporaryFolder(), 'service.yaml');
  await writeFile(file, textOf({ resource: { url: 'https://api.example/one' } }));
  const authenticator = createAuthenticator({ descriptor: file });
  closing(authenticator);
  const { answer, paths } = resourcePublisher(authenticator);
  expect(paths()).toEqual([`${PATH}/one`]);
  expect(JSON.parse(answer('GET', `${PATH}/one`)?.body ?? '')).toEqual({
    resource: 'https://api.example/one',
    authorization_servers: ['https://a.example'],
    bearer_methods_supported: ['header'],
  });
  await writeFile(file, textOf({ resource: { url: 'https://api.example/two', name: 'Two' } }));
  await authenticator.reload();
  expect(answer('GET', `${PATH}/one`)).toBeUndefined();
  expect(JSON.parse(answer('GET', `${PATH}/two`)?.body ?? '')).toMatchObject({ resource_name: 'Two' });
  const decision = await authenticator.decide(ask);
  expect(decision).toMatchObject({
    error: {
      headers: { 'WWW-Authenticate': `Bearer resource_metadata="https://api.example${PATH}/two"` },
    },
  });
  // A resource that is gone leaves nothing to publish.
  await writeFile(file, textOf({ audience: 'me' }));
  await authenticator.reload();
  expect(paths()).toEqual([]);
  expect(answer('GET', `${PATH}/two`)).toBeUndefined();
});

it('a combination has the resources of its sources, and names one to a request without a token', async () => {
  const keySets = [{ issuer: 'i', jwks: { keys: [key.publicJwk] } }];
  const of = (url: string) => createAuthenticator({ keySets, resource: { url } });
  const [files, mail] = [of('https://a.example/files'), of('https://a.example/mail')];
  closing(files);
  closing(mail);
  for (const both of [requireAll({ files, mail }), requireAny({ files, mail })]) {
    expect(both.resources?.map(({ url }) => url)).toEqual([
      'https://a.example/files',
      'https://a.example/mail',
    ]);
    expect(await both.decide(ask)).toMatchObject({
      error: {
        code: 'credentials_missing',
        headers: { 'WWW-Authenticate': `Bearer resource_metadata="https://a.example${PATH}/files"` },
      },
    });
  }
});
