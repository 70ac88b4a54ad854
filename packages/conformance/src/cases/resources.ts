// Several resources of one service (RFC 9728): a token for one of them is not accepted on routes of
// another, and each challenge names the metadata of the resource of its route.
import type { AuthErrorCode } from '@latchkey/core';
import type { TokenName } from '../tokens.ts';
import { bearer, type ConformanceCase, missing } from './case.ts';

const PATH = '/.well-known/oauth-protected-resource';
const resourceMetadata = `https://api.example.com${PATH}/files`;
const scope = 'friends:read';
const MISMATCH = 'token_audience_mismatch';

type Row = readonly [path: string, token: TokenName | undefined, expect: ConformanceCase['expect']];

const files = (code: AuthErrorCode, asks = {}) => ({ code, resourceMetadata, ...asks });

const rows: readonly Row[] = [
  ['/files', 'only for files', { status: 200 }],
  ['/files', 'good, also for files', { status: 200 }],
  ['/files', 'good', files(MISMATCH)],
  ['/files', 'only for orders', files(MISMATCH)],
  ['/files', 'expired', files('token_expired')],
  ['/files', undefined, files(missing.code)],
  ['/files/may-be-anonymous', undefined, { status: 200, body: { subject: null } }],
  ['/files/may-be-anonymous', 'good', files(MISMATCH)],
  ['/files/readers', 'only for files, friends:read', { status: 200 }],
  ['/files/readers', 'only for files', files('scope_insufficient', { scope })],
  ['/files/readers', 'good, friends:read', files(MISMATCH, { scope })],
  ['/files/readers', undefined, files(missing.code, { scope })],
  ['/files/readers/may-be-anonymous', undefined, files(missing.code, { scope })],
  ['/files/orders', 'only for files', files(MISMATCH)],
  ['/named/files', 'only for files, friends:read', { status: 200 }],
  ['/named/files', 'only for files', files('scope_insufficient', { scope })],
  ['/named/files', 'good, friends:read', files(MISMATCH, { scope })],
  ['/named/files', undefined, files(missing.code, { scope })],
  ['/token', 'good', { status: 200 }],
  ['/token', 'good, also for files', { status: 200 }],
  ['/token', 'only for files', { code: MISMATCH }],
  ['/token', undefined, missing],
  ['/scope', 'only for files, friends:read', { code: MISMATCH, scope }],
  ['/may-be-bad', 'only for files', { status: 200, body: { subject: null } }],
  [
    `${PATH}/files`,
    undefined,
    {
      status: 200,
      handled: false,
      body: {
        resource: 'https://api.example.com/files',
        resource_name: 'Files',
        scopes_supported: [scope],
        bearer_methods_supported: ['header'],
      },
    },
  ],
  [PATH, undefined, { status: 200, handled: false, body: { resource: 'https://api.example.com' } }],
];

const cached: readonly Row[] = [
  ['/files', 'good, also for files', { status: 200 }],
  ['/files', 'good', files(MISMATCH)],
  ['/named/files', 'good, friends:read', files(MISMATCH, { scope })],
];

const caseOf =
  (authenticator: ConformanceCase['authenticator'], isCached = false) =>
  ([path, token, expect]: Row): ConformanceCase => ({
    name: `RFC 9728: ${authenticator}: ${path}, ${token ?? 'no token'}${isCached ? ', seen before' : ''}`,
    authenticator,
    path,
    ...(token === undefined ? {} : { headers: bearer(token) }),
    isCached,
    expect,
  });

/** The cases of services with several resources, with and without the cache of tokens. */
export const resourcesCases: readonly ConformanceCase[] = [
  ...(['resources', 'resources, no cache', 'resources, described'] as const).flatMap((authenticator) =>
    rows.map(caseOf(authenticator)),
  ),
  ...cached.map(caseOf('resources', true)),
];
