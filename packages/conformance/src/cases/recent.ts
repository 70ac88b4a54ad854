// The last decisions: only programs of this machine get them, or callers who satisfy rules. The
// suite also checks what is in them, and a peer elsewhere.
import { bearer, type ConformanceCase } from './case.ts';

/** Where the application answers with the last decisions. */
export const RECENT = {
  local: '/recent',
  restricted: '/recent/restricted',
  rules: { scope: 'friends:read' },
} as const;

const SENT = {
  status: 200,
  mediaType: 'application/json',
  headers: { 'cache-control': 'no-store', 'cross-origin-resource-policy': 'same-origin' },
  without: ['access-control-allow-origin'],
  handled: false,
} as const;

const NOT_LOCAL = {
  status: 403,
  text: '{"status":403,"message":"The last decisions are only for programs of this machine, without a proxy."}',
  mediaType: 'application/json',
  headers: { 'cache-control': 'no-store' },
  handled: false,
} as const;

/** Whether the challenge names the scope depends on what the adapter knows of the route. */
const UNKNOWN_CALLER = { status: 401, handled: false } as const;

/** Headers of a request that a proxy or a page of another site has sent. */
const FOREIGN: readonly (readonly [name: string, value: string])[] = [
  ['Forwarded', 'for=192.0.2.7'],
  ['Forwarded', ''],
  ['Forwarded-For', '127.0.0.1'],
  ['Via', '1.1 proxy.example'],
  ['CDN-Loop', 'cdn.example'],
  ['X-Forwarded-For', '127.0.0.1'],
  ['X-Forwarded-Host', 'localhost'],
  ['X-Forwarded-Proto', 'https'],
  ['X-Real-IP', '127.0.0.1'],
  ['X-Envoy-External-Address', '192.0.2.7'],
  ['True-Client-IP', '127.0.0.1'],
  ['CF-Ray', '1'],
  ['Host', 'service.example'],
  ['Host', 'localhost.service.example'],
  ['Host', '127.0.0.1.service.example'],
  ['Host', '192.0.2.7'],
  ['Host', '0.0.0.0'],
  ['Origin', 'https://service.example'],
  ['Origin', 'http://localhost'],
  ['Sec-Fetch-Site', 'cross-site'],
  ['Sec-Fetch-Site', 'same-site'],
];

const get = (name: string, rest: Omit<ConformanceCase, 'name' | 'path'>): ConformanceCase => ({
  name: `recent decisions: ${name}`,
  path: RECENT.local,
  ...rest,
});

const restricted = (name: string, rest: Omit<ConformanceCase, 'name' | 'path'>): ConformanceCase => ({
  name: `recent decisions for callers: ${name}`,
  path: RECENT.restricted,
  ...rest,
});

/** The cases of `recentDecisions`. */
export const recentCases: readonly ConformanceCase[] = [
  get('a program of this machine', { expect: SENT }),
  ...['127.0.0.1', '127.1.2.3:8080', 'LOCALHOST', '[::1]:3000'].map((host) =>
    get(`by the name ${host}`, { headers: [['Host', host]], expect: SENT }),
  ),
  get('a page of the service itself', { headers: [['Sec-Fetch-Site', 'same-origin']], expect: SENT }),
  get('a token does not matter', { headers: bearer('expired'), expect: SENT }),
  ...FOREIGN.map(([name, value]) =>
    get(`${name}: ${value}`, { headers: [[name, value]], expect: NOT_LOCAL }),
  ),
  get('a good token behind a proxy', {
    headers: [...bearer('good, friends:read'), ['X-Forwarded-For', '192.0.2.7']],
    expect: NOT_LOCAL,
  }),
  restricted('no token, from this machine', { expect: UNKNOWN_CALLER }),
  restricted('a token that expired', { headers: bearer('expired'), expect: UNKNOWN_CALLER }),
  restricted('a token without the scope', {
    headers: bearer('good'),
    expect: { code: 'scope_insufficient', scope: 'friends:read' },
    decision: { outcome: 'refused', route: RECENT.restricted },
  }),
  restricted('no token in a permissive service', {
    authenticator: 'permissive',
    expect: UNKNOWN_CALLER,
  }),
  restricted('a good token, behind a proxy', {
    headers: [...bearer('good, friends:read'), ['X-Forwarded-For', '192.0.2.7'], ['Host', 'service.example']],
    expect: SENT,
    decision: { outcome: 'accepted', route: RECENT.restricted },
  }),
];
