// NO_PROXY: read as undici reads it, which Node and users know.
import { type Dispatcher, EnvHttpProxyAgent, type Pool } from 'undici';
import { describe, expect, it } from 'vitest';
import { isInNoProxy } from '../../src/net/no-proxy.ts';

const URLS = [
  'https://example.com/',
  'https://example.com:8443/',
  'https://api.example.com/',
  'https://a.b.example.com/',
  'https://notexample.com/',
  'https://EXAMPLE.com./',
  'https://10.0.0.1/',
  'https://[2001:db8::1]/',
  'https://[2001:db8::1]:8443/',
];

/** True if undici calls the host directly. */
async function isDirectInUndici(url: string, noProxy: string): Promise<boolean> {
  let isDirect: boolean | undefined;
  const agent = new EnvHttpProxyAgent({
    httpProxy: '',
    httpsProxy: 'http://proxy.test:3128',
    noProxy,
    connect: (_, done) => {
      isDirect = true;
      done(new Error('tried'), null);
    },
    clientFactory: () =>
      ({
        connect: () => {
          isDirect = false;
          return Promise.reject(new Error('tried'));
        },
        close: async () => undefined,
        destroy: async () => undefined,
      }) as unknown as Pool,
  });
  const options: Dispatcher.RequestOptions = { origin: new URL(url).origin, path: '/', method: 'GET' };
  await agent.request(options).catch(() => undefined);
  await agent.destroy();
  if (isDirect === undefined) throw new Error('expected a try');
  return isDirect;
}

describe.each([
  '',
  ' ',
  '*',
  'none.test,*',
  '*:8443',
  '*:443',
  'example.com',
  'Example.COM',
  '.example.com',
  '*.example.com',
  'example.com.',
  'example.com:443',
  'example.com:8443',
  'api.example.com',
  'other.test, example.com',
  'other.test example.com',
  'example.com:',
  'example.com:0',
  '*example.com',
  'ample.com',
  '10.0.0.1',
  '10.0.0.0/8',
  '2001:db8::1',
  '[2001:db8::1]',
  '[2001:db8::1]:8443',
  '.',
  '*.',
  '.*',
])('NO_PROXY=%s', (list) => {
  it.each(URLS)('%s', async (url) => {
    expect(isInNoProxy(new URL(url), list)).toBe(await isDirectInUndici(url, list));
  });
});

it('the port of plain http is 80', () => {
  expect(['a.test:80', 'a.test:443'].map((list) => isInNoProxy(new URL('http://a.test/'), list))).toEqual([
    true,
    false,
  ]);
});
