// How a token is carried: headers, methods, cookies, the query.
import {
  ambiguous,
  bearer,
  type ConformanceCase,
  carried,
  inCarriers,
  malformed,
  missing,
  ok,
  refusedOrigin,
} from './case.ts';

/** How a token is carried: headers, methods, cookies, the query. */
export const carriageCases: readonly ConformanceCase[] = [
  // The Authorization header: RFC 6750 §2.1, RFC 9110 §11.
  {
    name: 'AK-42: a public route needs no token',
    path: '/public',
    expect: { status: 200, body: { public: true } },
  },
  carried('A0: no credentials', [], missing),
  carried('A0: an empty Authorization header', [['Authorization', '']], missing),
  carried('T-076: another scheme', [['Authorization', 'Basic YTpi']], missing),
  carried('T-076: a scheme that only starts like Bearer', [['Authorization', 'BearerX {good}']], missing),
  carried('T-076: the scheme is compared without case', [['Authorization', 'bEARER {good}']], ok),
  carried('T-076: the header name is compared without case', [['aUTHORIZATION', 'Bearer {good}']], ok),
  carried('T-076: no token after the scheme', [['Authorization', 'Bearer']], malformed),
  carried('T-076: only spaces after the scheme', [['Authorization', 'Bearer   ']], malformed),
  carried('T-077: several spaces', [['Authorization', 'Bearer   {good}']], ok),
  carried('T-077: a tab', [['Authorization', 'Bearer\t{good}']], malformed),
  carried('T-077: a no-break space', [['Authorization', 'Bearer\u00a0{good}']], malformed),
  carried('T-077: other text after the token', [['Authorization', 'Bearer {good} x']], malformed),
  carried('T-075: two tokens, comma-joined', [['Authorization', 'Bearer {good}, Bearer {good}']], malformed),
  carried('T-075: quoted', [['Authorization', 'Bearer "{good}"']], malformed),
  carried(
    'T-074: two Authorization headers',
    [
      ['Authorization', 'Bearer {good}'],
      ['authorization', 'Bearer {expired}'],
    ],
    { code: 'credentials_ambiguous' },
  ),
  carried(
    'T-074: two Authorization headers, the first of another scheme',
    [
      ['Authorization', 'Basic YTpi'],
      ['Authorization', 'Bearer {good}'],
    ],
    { code: 'credentials_ambiguous' },
  ),
  carried(
    'T-092: forwarded headers change no decision',
    [
      ['X-Original-URL', '/public'],
      ['X-Rewrite-URL', '/public'],
    ],
    missing,
  ),
  carried(
    'T-085: Proxy-Authorization is not Authorization',
    [['Proxy-Authorization', 'Bearer {good}']],
    missing,
  ),
  // Methods: RFC 9110 §9. No method is exempt.
  { name: 'T-090: HEAD without a token', method: 'HEAD', path: '/token', expect: missing },
  { name: 'T-090: POST without a token', method: 'POST', path: '/token', expect: missing },
  { name: 'T-090: OPTIONS without a token', method: 'OPTIONS', path: '/token', expect: missing },
  { name: 'T-090: POST with a token', method: 'POST', path: '/token', headers: bearer('good'), expect: ok },
  // The places of a token.
  ...(
    [
      ['another header', [['X-Token', '{good}']]],
      ['another scheme', [['X-Scheme', 'Token {good}']]],
      ['a cookie', [['Cookie', 'a=1; token={good}; b=2']]],
      ['the same cookie twice', [['Cookie', 'token="{good}"; token={good}']]],
      ['Authorization, as one of several places', [['Authorization', 'Bearer {good}']]],
    ] as const
  ).map(([name, headers]) => inCarriers(`AM-5: ${name}`, { headers, expect: ok })),
  inCarriers('S35: no token in any place', { expect: missing }),
  inCarriers('T-085: another header, twice', {
    headers: [
      ['X-Token', '{good}'],
      ['X-Token', '{good}'],
    ],
    expect: ambiguous,
  }),
  inCarriers('T-085: a wrong scheme in another header', {
    headers: [['X-Scheme', 'Bearer {good}']],
    expect: missing,
  }),
  inCarriers('T-078: a header and a cookie', {
    headers: [
      ['Authorization', 'Bearer {good}'],
      ['Cookie', 'token={good}'],
    ],
    expect: ambiguous,
  }),
  inCarriers('T-078: the same token in two headers', {
    headers: [
      ['Authorization', 'Bearer {good}'],
      ['X-Token', '{good}'],
    ],
    expect: ambiguous,
  }),
  inCarriers('T-078: the same token in a cookie and the query', {
    path: '/token?access_token={good}',
    headers: [['Cookie', 'token={good}']],
    expect: ambiguous,
  }),
  inCarriers('T-080: two different cookies of one name', {
    headers: [['Cookie', 'token={good}; token={expired}']],
    expect: ambiguous,
  }),
  // A browser applies the rules of `__Host-` to neither name.
  ...['\u00a0token', 'token\u00a0'].map((name) =>
    inCarriers(`T-080: a cookie of another name, ${JSON.stringify(name)}`, {
      headers: [['Cookie', `${name}={good}`]],
      expect: missing,
    }),
  ),
  inCarriers('T-080: two Cookie headers', {
    headers: [
      ['Cookie', 'token={good}'],
      ['Cookie', 'token={expired}'],
    ],
    expect: ambiguous,
  }),
  ...(
    [
      ['same origin', [['Sec-Fetch-Site', 'same-origin']], ok],
      ['the same origin, old browser', [['Origin', 'http://localhost']], ok],
      [
        'a listed origin',
        [
          ['Origin', 'https://app.example.com'],
          ['Sec-Fetch-Site', 'cross-site'],
        ],
        ok,
      ],
      ['another site', [['Sec-Fetch-Site', 'cross-site']], refusedOrigin],
      ['another origin of the same site', [['Sec-Fetch-Site', 'same-site']], refusedOrigin],
      ['another origin, old browser', [['Origin', 'https://evil.example']], refusedOrigin],
      ['Origin: null', [['Origin', 'null']], refusedOrigin],
      ['no header', [], refusedOrigin],
    ] as const
  ).map(([name, headers, expectation]) =>
    inCarriers(`T-081: POST with a cookie: ${name}`, {
      method: 'POST',
      headers: [['Cookie', 'token={good}'], ...headers],
      expect: expectation,
    }),
  ),
  inCarriers('T-081: GET with a cookie from another site', {
    headers: [
      ['Cookie', 'token={good}'],
      ['Sec-Fetch-Site', 'cross-site'],
    ],
    expect: ok,
  }),
  ...(
    [
      ['a page of another origin', [['Origin', 'https://evil.example']], refusedOrigin],
      [
        'a page of another site',
        [
          ['Origin', 'https://evil.example'],
          ['Sec-Fetch-Site', 'cross-site'],
        ],
        refusedOrigin,
      ],
      ['no header', [], refusedOrigin],
      ['the same origin', [['Origin', 'http://localhost']], ok],
      ['a listed origin', [['Origin', 'https://app.example.com']], ok],
    ] as const
  ).map(([name, headers, expectation]) =>
    inCarriers(`T-093: an upgrade that comes as a GET, with a cookie: ${name}`, {
      headers: [['Cookie', 'token={good}'], ['Connection', 'Upgrade'], ['Upgrade', 'WebSocket'], ...headers],
      expect: expectation,
    }),
  ),
  inCarriers('T-093: an upgrade without a cookie has no origin to check', {
    headers: [
      ['Authorization', 'Bearer {good}'],
      ['Upgrade', 'websocket'],
      ['Origin', 'https://evil.example'],
    ],
    expect: ok,
  }),
  inCarriers('T-093: an upgrade to h2c is not a socket', {
    headers: [
      ['Cookie', 'token={good}'],
      ['Upgrade', 'h2c'],
    ],
    expect: ok,
  }),
  inCarriers('T-082: the query', {
    path: '/token?a=1&access_token={good}',
    expect: { ...ok, headers: { 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' } },
  }),
  inCarriers('T-083: a token in the query is removed from the URL', {
    path: '/url?a=%20&access_token={good}&b=2',
    expect: { status: 200, body: { url: '/url?a=%20&b=2' } },
  }),
  inCarriers('T-083: a bad token in the query is not in the answer', {
    path: '/token?access_token={expired}',
    expect: { code: 'token_expired' },
  }),
  inCarriers('T-082: two tokens in the query', {
    path: '/token?access_token={good}&access_token={good}',
    expect: ambiguous,
  }),
  inCarriers('T-082: a parameter with a similar name', {
    path: '/token?access_token[]={good}',
    expect: missing,
  }),
  {
    name: 'D11: the query is not read by default',
    path: '/token?access_token={good}',
    expect: missing,
  },
  {
    name: 'D12: cookies are not read by default',
    path: '/token',
    headers: [['Cookie', 'token={good}; access_token={good}; Authorization=Bearer {good}']],
    expect: missing,
  },
];
