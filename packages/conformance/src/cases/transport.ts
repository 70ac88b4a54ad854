// How a request came: by https or not, as the framework says.
import { bearer, type ConformanceCase, ok } from './case.ts';

const insecure = { code: 'transport_insecure' } as const;
const forwarded = (protocol: string) =>
  [...bearer('good'), ['X-Forwarded-Proto', protocol]] as NonNullable<ConformanceCase['headers']>;

/** How a request came: by https or not, as the framework says. */
export const transportCases: readonly ConformanceCase[] = (
  [
    ['https', 'a good token by http', '/token', bearer('good'), insecure],
    ['https', 'no token by http', '/token', [], insecure],
    ['https', 'a bad token by http: it is not read', '/token', bearer('expired'), insecure],
    ['https', 'no token by http on an optional route', '/may-be-anonymous', [], insecure],
    ['https', 'a bad token by http on a permissive route', '/may-be-bad', bearer('expired'), insecure],
    ['https', 'http that says it is https, without a trusted proxy', '/token', forwarded('https'), insecure],
    ['https', 'a public route', '/public', [], { status: 200, body: { public: true } }],
    ['behind a proxy', 'https to a trusted proxy', '/token', forwarded('https'), ok],
    ['behind a proxy', 'http to a trusted proxy', '/token', forwarded('http'), insecure],
    ['behind a proxy', 'a trusted proxy that says nothing', '/token', bearer('good'), insecure],
  ] as const
).map(([authenticator, name, path, headers, expect]) => ({
  name: `AG-3: ${name}`,
  authenticator,
  path,
  headers,
  expect,
}));
