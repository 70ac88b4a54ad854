// Certificates in headers of proxies: who may write them, and in which form. Node's own sockets are
// in mutual-tls.test.ts.
import { createHash } from 'node:crypto';
import { createClientCertificate } from '@latchkey/testing';
import { describe, expect, it } from 'vitest';
import type { MutualTlsOptions } from '../../src/possession/mutual-tls-options.ts';
import { bench, outcomeOf, refusalOf, viewOf } from './bench.ts';

/** A certificate that reads differently in base64url. Few do not. */
function certificate(): ReturnType<typeof createClientCertificate> {
  const made = createClientCertificate();
  return /[+/]/.test(made.clientCert) ? made : certificate();
}

const [mine, another] = [certificate(), certificate()];
const PROXY = { remoteAddress: '10.1.2.3' };
const PEERS = ['10.0.0.0/8', '192.0.2.7', 'fd00::/8'];
type Header = NonNullable<MutualTlsOptions['header']>;
type Pairs = readonly (readonly [name: string, value: string])[];

async function service(header: Header) {
  const mutualTls = { mode: 'allowed', header, trustedPeers: PEERS } as const;
  const { authenticator, tokenOf } = await bench({ dpop: { mode: 'off' }, mutualTls });
  const token = await tokenOf({ cnf: mine.cnf });
  const view = (pairs: Pairs, socket: object | null) => ({
    ...viewOf('GET', '/', [['Authorization', `Bearer ${token}`], ...pairs]),
    ...(socket === null ? {} : { socket }),
  });
  return {
    ask: (pairs: Pairs, socket: object | null = PROXY) => outcomeOf(authenticator, view(pairs, socket)),
    refuse: (pairs: Pairs, socket: object | null = PROXY) => refusalOf(authenticator, view(pairs, socket)),
    /** As a platform shows it that has joined the headers. */
    joined: (value: string) =>
      outcomeOf(authenticator, { ...view([[header, value]], PROXY), rawHeaders: [] }),
  };
}

const der = Buffer.from(mine.clientCert.slice(1, -1), 'base64');
const hex = (one: typeof mine) => Buffer.from(one.thumbprint, 'base64url').toString('hex');
const tlsSocket = (raw: Uint8Array | undefined, remoteAddress: string) => ({
  remoteAddress,
  getPeerCertificate: () => (raw === undefined ? {} : { raw }),
});

describe('who may write the header', () => {
  const good: Pairs = [['Client-Cert', mine.clientCert]];

  it.each([
    ['10.255.0.1', 'accepted'],
    ['::ffff:10.0.0.1', 'accepted'],
    ['192.0.2.7', 'accepted'],
    ['fd12::1', 'accepted'],
    ['fd12::1%eth0', 'accepted'],
    ['11.0.0.1', 'token_binding_mismatch'],
    ['::ffff:11.0.0.1', 'token_binding_mismatch'],
    ['192.0.2.8', 'token_binding_mismatch'],
    ['fe80::1', 'token_binding_mismatch'],
    ['localhost', 'token_binding_mismatch'],
    ['', 'token_binding_mismatch'],
    [undefined, 'token_binding_mismatch'],
  ])('%s: %s', async (remoteAddress, outcome) => {
    const { ask } = await service('Client-Cert');
    expect(await ask(good, { remoteAddress })).toBe(outcome);
  });

  it('no request whose connection is not known, and X-Forwarded-For does not count', async () => {
    const { ask } = await service('Client-Cert');
    const forwarded: Pairs = [...good, ['X-Forwarded-For', '10.0.0.1'], ['Forwarded', 'for=10.0.0.1']];
    expect(await ask(forwarded, null)).toBe('token_binding_mismatch');
    expect(await ask(forwarded, { remoteAddress: '8.8.8.8' })).toBe('token_binding_mismatch');
  });

  it('a peer that is not trusted proves its certificate itself, and its header is not read', async () => {
    const { ask } = await service('Client-Cert');
    const others: Pairs = [['Client-Cert', another.clientCert]];
    expect(await ask(others, tlsSocket(der, '8.8.8.8'))).toBe('accepted');
    expect(await ask([], tlsSocket(der, '8.8.8.8'))).toBe('accepted');
    expect(await ask(good, tlsSocket(undefined, '8.8.8.8'))).toBe('token_binding_mismatch');
  });

  it('the certificate of a trusted proxy is never that of the client', async () => {
    const { ask, refuse } = await service('Client-Cert');
    const proxy = tlsSocket(der, '10.0.0.1');
    expect(await ask([], proxy)).toBe('token_binding_mismatch');
    expect((await refuse(good, proxy))?.detail).toMatch(/another one by TLS/);
    expect(await ask(good, tlsSocket(undefined, '10.0.0.1'))).toBe('accepted');
  });

  it('a header of another kind of proxy next to it is refused', async () => {
    const { ask } = await service('Client-Cert');
    const xfcc = ['X-Forwarded-Client-Cert', `Hash=${hex(mine)}`] as const;
    expect(await ask([...good, xfcc])).toBe('token_binding_mismatch');
    expect(await ask([xfcc])).toBe('token_binding_mismatch');
  });
});

describe('Client-Cert, RFC 9440', () => {
  const base64 = mine.clientCert.slice(1, -1);

  it.each([
    ['another certificate', another.clientCert],
    ['no colons', base64],
    ['one colon', `:${base64}`],
    ['nothing', ''],
    ['no bytes', '::'],
    ['two', `${mine.clientCert}, ${mine.clientCert}`],
    ['a parameter', `${mine.clientCert};a=b`],
    ['a space', `: ${base64}:`],
    ['base64url', `:${der.toString('base64url')}:`],
    ['a text', `"${base64}"`],
    ['more padding', `:${base64}=:`],
    ['PEM', encodeURIComponent(mine.cert)],
    ['a byte more', `:${Buffer.concat([der, Buffer.from([0])]).toString('base64')}:`],
  ])('%s is refused', async (_, value) => {
    const { ask, joined } = await service('Client-Cert');
    expect(await ask([['Client-Cert', value]])).toBe('token_binding_mismatch');
    expect(await joined(value)).toBe('token_binding_mismatch');
  });

  it('two headers are refused', async () => {
    const { ask, joined } = await service('Client-Cert');
    const header = ['Client-Cert', mine.clientCert] as const;
    expect(await ask([header])).toBe('accepted');
    expect(await joined(mine.clientCert)).toBe('accepted');
    expect(await ask([header, header])).toBe('token_binding_mismatch');
  });
});

describe('X-Forwarded-Client-Cert', () => {
  const hash = `Hash=${hex(mine)}`;
  const cert = `Cert="${encodeURIComponent(mine.cert)}"`;

  it.each([
    hash,
    `By=spiffe://a.example/api;${hash};Subject="CN=a, O=\\"b\\"; c";URI=https://a.example/?b=c;DNS=a;DNS=b`,
    `hash=${hex(mine).toUpperCase()}`,
    cert,
    `${hash};${cert};Chain="a"`,
    `Subject="";${hash};URI=`,
  ])('%s is accepted', async (value) => {
    const { ask } = await service('X-Forwarded-Client-Cert');
    expect(await ask([['X-Forwarded-Client-Cert', value]])).toBe('accepted');
  });

  it.each([
    ['another hash', `Hash=${hex(another)}`],
    ['no hash', 'By=spiffe://a.example/api;Subject="CN=a"'],
    ['an empty hash', 'Hash='],
    ['a hash in base64url', `Hash=${mine.thumbprint}`],
    ['a hash in the subject', `Subject="${hash}"`],
    ['two hashes', `${hash};${hash}`],
    ['two hashes in other cases', `Hash=${hex(another)};hash=${hex(mine)}`],
    ['a hash in a URI that is not quoted', `Hash=${hex(another)};URI=https://a;${hash}`],
    ['a second element', `Hash=${hex(another)},${hash}`],
    ['a second element, after a space', `${hash}, Hash=${hex(another)}`],
    ['the same element twice', `${hash},${hash}`],
    ['another certificate', `${hash};Cert="${encodeURIComponent(another.cert)}"`],
    ['another hash than that of the certificate', `Hash=${hex(another)};${cert}`],
    ['a certificate that is not PEM', `${hash};Cert="a"`],
    ['wrong escapes', `${hash};Cert="%"`],
    ['two certificates', `Cert="${encodeURIComponent(mine.cert + another.cert)}"`],
    ['a semicolon at the end', `${hash};`],
    ['an open quote', `${hash};Subject="a`],
    ['a text after a quote', `Subject="a"b;${hash}`],
    ['a space', `By=a; ${hash}`],
    ['no key', `=a;${hash}`],
    ['a key without a value', `Hash;${hash}`],
    ['nothing', ''],
  ])('%s is refused', async (_, value) => {
    const { ask, joined } = await service('X-Forwarded-Client-Cert');
    expect(await ask([['X-Forwarded-Client-Cert', value]])).toBe('token_binding_mismatch');
    expect(await joined(value)).toBe('token_binding_mismatch');
  });

  it('two headers are refused', async () => {
    const { ask } = await service('X-Forwarded-Client-Cert');
    const header = ['X-Forwarded-Client-Cert', hash] as const;
    expect(await ask([header, header])).toBe('token_binding_mismatch');
  });
});

it('RFC 8705, appendix A: the certificate has the thumbprint of the claim', async () => {
  const example = [
    'MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAx',
    'ODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsGA1UEAwwEbXRsczBZMBMGByqG',
    'SM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ',
    '/Au08/coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8wCgYIKoZIzj0EAwID',
    'SQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWUVeORWz83AiEA5x2eXZOV',
    'bUlJSGQgjwD5vaUaKlLR50Q2DmFfQj1L+SY=',
  ].join('');
  const cnf = { 'x5t#S256': 'A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0' };
  const { authenticator, tokenOf } = await bench({ dpop: { mode: 'off' }, mutualTls: { mode: 'required' } });
  const request = viewOf('GET', '/', [['Authorization', `Bearer ${await tokenOf({ cnf })}`]]);
  const raw = Buffer.from(example, 'base64');
  const ask = (socket: object) => outcomeOf(authenticator, { ...request, socket });
  expect(await ask(tlsSocket(raw, '8.8.8.8'))).toBe('accepted');
  expect(await ask(tlsSocket(der, '8.8.8.8'))).toBe('token_binding_mismatch');
});

it('a refusal says nothing of a certificate', async () => {
  const { refuse } = await service('Client-Cert');
  const shown = async (pairs: Pairs, socket?: object) => {
    const refusal = await refuse(pairs, socket ?? PROXY);
    return JSON.stringify([refusal, refusal?.detail, refusal?.headers]);
  };
  const secrets = [mine.thumbprint, another.thumbprint, another.clientCert.slice(20, 60)];
  for (const text of [
    await shown([['Client-Cert', another.clientCert]]),
    await shown([['Client-Cert', `${another.clientCert};a`]]),
    await shown([['Client-Cert', another.clientCert]], tlsSocket(der, '10.0.0.1')),
  ])
    for (const secret of secrets) expect(text).not.toContain(secret);
  expect(createHash('sha256').update(der).digest('base64url')).toBe(mine.thumbprint);
});
