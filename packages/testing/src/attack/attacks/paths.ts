// Attacks without a token, by other spellings of the path, other methods, and headers that name
// another path: they get around protection that compares paths and methods.
import type { Attack } from '../attack.ts';
import type { Bench } from '../bench.ts';
import type { Forgery } from '../forgery.ts';

const SPELLING =
  'The protection and the router read the path differently. Attach the protection to the route or the handler, and compare no paths.';
const METHOD =
  'The protection is for some methods only. Attach it to the route or the handler, for every method.';
const HEADER =
  'A header of the client decides what is protected. Read it only from a proxy that you trust, and never for a decision.';

/** A path of no route. */
export const MISSING_PATH = '/latchkey-attack/no-such-path';

type Spell = (path: string, bench: Bench) => readonly string[];

const hex = (character: string) => `%${character.charCodeAt(0).toString(16)}`;

/** Other spellings of a path without its query. */
const SPELLINGS: Readonly<Record<string, readonly [title: string, spell: Spell]>> = {
  'trailing-slash': ['a slash at its end', (path) => (path === '/' ? [] : [`${path}/`, `${path}//`])],
  'double-slash': ['two slashes', (path) => [`/${path}`, `//${path}`, ...inner(path, '//')]],
  'dot-segment': [
    'dot segments',
    (path, bench) => [`/.${path}`, `/x/..${path}`, `${path}/.`, ...hidden(path, '/..', bench)],
  ],
  'encoded-dots': [
    'encoded dot segments',
    (path, bench) => [`/%2e${path}`, `/x/%2e%2e${path}`, `/x/..;${path}`, ...hidden(path, '/..;', bench)],
  ],
  'encoded-letter': [
    'an encoded letter',
    (path) => [
      path.replace(/[A-Za-z0-9]/, hex),
      path.replace(/[A-Za-z0-9]/, (letter) => hex(letter).replace('%', '%25')),
      path.replace(/[A-Za-z0-9](?=[^A-Za-z0-9]*$)/, hex),
    ],
  ],
  'encoded-slash': [
    'an encoded slash',
    (path) => [`/%2f${path.slice(1)}`, `${path}%2f`, `${path}%2F`, ...inner(path, '%2f')],
  ],
  case: [
    'other letters',
    (path) => [
      path.toUpperCase(),
      path.toLowerCase(),
      path.replace(/[a-z]/, (letter) => letter.toUpperCase()),
    ],
  ],
  parameters: ['path parameters', (path) => [`${path};x=y`, `/;x${path}`, `${path};/../public`]],
  backslash: ['a backslash', (path) => [`/\\${path.slice(1)}`, `\\${path}`, `${path}\\`]],
  query: [
    'a question mark or a number sign',
    (path, { attack }) => [
      `${path}?`,
      `${path}?x=${attack.publicPaths[0] ?? '/public'}`,
      `${path}#`,
      `${path}#${attack.publicPaths[0] ?? '/public'}`,
      `${path}%3f`,
      `${path}%23`,
    ],
  ],
  end: [
    'a character at its end',
    (path) => ['%20', '%00', '%09', '%0a', '.', '.json'].map((end) => `${path}${end}`),
  ],
  'absolute-form': [
    'a whole URL',
    (path) => [`http://localhost${path}`, `http://localhost/${path}`, `http://evil.example${path}`],
  ],
};

/** With something else in place of the slashes inside. */
function inner(path: string, slash: string): readonly string[] {
  const changed = path.replace(/(?<=.)\//g, slash);
  return changed === path ? [] : [changed];
}

/** Behind a path that needs no token. */
function hidden(path: string, up: string, { attack }: Bench): readonly string[] {
  return attack.publicPaths.map((open) => {
    const depth = open.split('/').filter((segment) => segment !== '').length;
    return `${open.replace(/\/$/, '')}${up.repeat(Math.max(1, depth))}${path}`;
  });
}

const spelled = Object.entries(SPELLINGS).map(
  ([name, [title, spell]]): Attack => ({
    id: `T-095/${name}`,
    title: `no token, and the path with ${title}`,
    advice: SPELLING,
    isElsewhere: true,
    forge: (bench) => {
      const [path = '', query] = bench.route.path.split('?', 2);
      return [...new Set(spell(path, bench))]
        .filter((each) => each !== path)
        .map((each) => ({
          target: query === undefined || /[?#]/.test(each) ? each : `${each}?${query}`,
          label: each,
        }));
    },
  }),
);

const OTHER_METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'PROPFIND', 'QUERY'];

const methods = (
  name: string,
  title: string,
  forge: (bench: Bench) => readonly Forgery[],
  needs: NonNullable<Attack['needs']> = [],
): Attack => ({ id: `T-090/${name}`, title, advice: METHOD, isElsewhere: true, needs, forge });

const onGet: NonNullable<Attack['needs']> = [
  ({ route }) => (route.method === 'GET' ? undefined : 'the method of the route is not GET'),
];

const ADDRESS_HEADERS = [
  ['X-Forwarded-For', '127.0.0.1'],
  ['X-Real-IP', '127.0.0.1'],
  ['X-Client-IP', '127.0.0.1'],
  ['Forwarded', 'for=127.0.0.1'],
  ['X-Forwarded-Host', 'localhost'],
] as const;
const PATH_HEADERS = [
  'X-Original-URL',
  'X-Rewrite-URL',
  'X-Forwarded-Uri',
  'X-Forwarded-Path',
  'X-Forwarded-Prefix',
  'X-Envoy-Original-Path',
];
const METHOD_HEADERS = ['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override'];

export const PATH_ATTACKS: readonly Attack[] = [
  ...spelled,
  methods('head', 'HEAD without a token', () => [{ method: 'HEAD' }], onGet),
  methods('options', 'OPTIONS without a token', () => [{ method: 'OPTIONS' }]),
  methods('preflight', 'a preflight of CORS without a token', ({ route }) => [
    {
      method: 'OPTIONS',
      headers: [
        ['Origin', 'https://evil.example'],
        ['Access-Control-Request-Method', route.method],
        ['Access-Control-Request-Headers', 'authorization'],
      ],
    },
  ]),
  methods('lower-case', 'the method in lower case, without a token', ({ route }) => [
    { method: route.method.toLowerCase() },
  ]),
  methods('another-method', 'other methods without a token', ({ route }) =>
    OTHER_METHODS.filter((method) => method !== route.method).map((method) => ({ method, label: method })),
  ),
  {
    id: 'T-090/override',
    title: 'headers that name another method, without a token',
    advice: METHOD,
    forge: () =>
      METHOD_HEADERS.flatMap((name) =>
        ['OPTIONS', 'HEAD'].map((method) => ({ headers: [[name, method]] as const, label: name })),
      ),
  },
  {
    id: 'T-092/public-path',
    title: 'headers that name a public path, without a token',
    advice: HEADER,
    forge: ({ attack }) =>
      PATH_HEADERS.map((name) => ({
        headers: [[name, attack.publicPaths[0] ?? '/']] as const,
        label: name,
      })),
  },
  {
    id: 'T-092/protected-path',
    title: 'a public path, and headers that name the route, without a token',
    advice: HEADER,
    isElsewhere: true,
    forge: ({ attack, route }) =>
      PATH_HEADERS.map((name) => ({
        target: attack.publicPaths[0] ?? '/',
        headers: [[name, route.path]] as const,
        label: name,
      })),
  },
  {
    id: 'T-092/local-caller',
    title: 'headers that name this machine as the caller, without a token',
    advice:
      'Callers that seem to be local need no token, and a header of the client says who is. Use the address of the socket.',
    forge: () => ADDRESS_HEADERS.map(([name, value]) => ({ headers: [[name, value]] as const, label: name })),
  },
  {
    id: 'T-092/subrequest',
    title: 'headers that only a framework sets for itself, without a token',
    advice: 'A header of the client turns the protection off (CVE-2025-29927). Update the framework.',
    forge: () =>
      ['middleware', 'src/middleware', 'middleware:middleware:middleware:middleware:middleware'].map(
        (value) => ({ headers: [['X-Middleware-Subrequest', value]] as const }),
      ),
  },
  {
    id: 'T-093/upgrade',
    title: 'a request for a socket without a token',
    advice: 'Sockets do not pass the handlers of requests. Check the token of an upgrade too.',
    needs: onGet,
    forge: () => [
      {
        headers: [
          ['Connection', 'Upgrade'],
          ['Upgrade', 'websocket'],
          ['Sec-WebSocket-Version', '13'],
          ['Sec-WebSocket-Key', 'bGF0Y2hrZXktYXR0YWNrcw=='],
        ],
      },
    ],
  },
];
