// Services with a hole in how they read requests: headers, methods and paths.
import { posix } from 'node:path';
import type { Broken } from './broken-keys.ts';
import { PATH, SOUND, tokenBy } from './sound.ts';

/** As a router of a framework may read a path. */
const normalised = (url = '') =>
  posix
    .normalize(decodeURIComponent(url.split(/[?#;]/)[0] ?? '').replaceAll('\\', '/'))
    .toLowerCase()
    .replace(/(?<=.)\/$/, '');

const TOKEN = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/;

export const BROKEN_REQUESTS: readonly Broken[] = [
  {
    name: 'takes the first of two headers',
    steps: {
      tokenOf: ({ headers: { authorization = '' } }) =>
        authorization.length > 16_384 ? undefined : TOKEN.exec(authorization)?.[1],
    },
    letIn: ['T-074/two-headers'],
  },
  {
    name: 'takes the first of two tokens in a header',
    steps: { tokenOf: (request) => tokenBy(/^Bearer ([\w-]+\.[\w-]+\.[\w-]+)(?:$|,)/, request) },
    letIn: ['T-075/comma'],
  },
  {
    name: 'takes what comes last in the header',
    steps: { tokenOf: (request) => tokenBy(/([\w-]+\.[\w-]+\.[\w-]+)$/, request) },
    letIn: ['T-001/parts', 'T-075/comma', 'T-076/scheme', 'T-076/scheme-twice', 'T-077/separators'],
  },
  {
    name: 'reads a token in the query',
    steps: {
      tokenOf: (request) =>
        SOUND.tokenOf(request) ??
        new URL(`http://localhost${request.url}`).searchParams.get('access_token') ??
        undefined,
    },
    letIn: ['T-085/other-place'],
  },
  {
    name: 'protects a path by its beginning, and the router normalises it',
    steps: {
      guards: ({ url = '' }) => url.startsWith(PATH),
      pathOf: ({ url }) => (url?.startsWith('/') ? normalised(url) : ''),
    },
    letIn: [
      ...['double-slash', 'dot-segment', 'encoded-dots', 'encoded-letter', 'encoded-slash'],
      ...['case', 'backslash'],
    ].map((name) => `T-095/${name}`),
  },
  {
    name: 'leaves out protection for a path that contains a public one',
    steps: { guards: ({ url = '' }) => !url.includes('/health') },
    letIn: ['T-095/query'],
  },
  {
    name: 'protects GET only',
    steps: { guards: ({ method }) => method === 'GET' },
    letIn: ['T-090/another-method', 'T-090/head', 'T-090/options', 'T-090/preflight'],
  },
  {
    name: 'lets OPTIONS pass for CORS, to the handler',
    steps: { guards: ({ method }) => method !== 'OPTIONS' },
    letIn: ['T-090/options', 'T-090/preflight'],
  },
  {
    name: 'lets a preflight pass by a header that names another method',
    steps: {
      guards: ({ method, headers }) => (headers['x-http-method-override'] ?? method) !== 'OPTIONS',
    },
    letIn: ['T-090/options', 'T-090/override', 'T-090/preflight'],
  },
  {
    name: 'protects the path of a header of the client',
    steps: {
      guards: ({ url, headers }) => (headers['x-original-url'] ?? url) !== '/health',
    },
    letIn: ['T-092/public-path'],
  },
  {
    name: 'protects nothing from callers that say that they are local',
    steps: { guards: ({ headers }) => headers['x-forwarded-for'] !== '127.0.0.1' },
    letIn: ['T-092/local-caller'],
  },
  {
    name: 'lets a header of a page pass that has no token yet',
    steps: { guards: ({ headers }) => headers.authorization !== 'Bearer null' },
    letIn: ['T-077/no-token'],
  },
  {
    name: 'routes by a header of the client, after it has protected the path',
    steps: {
      guards: ({ url }) => url?.split('?')[0] === PATH,
      pathOf: (request) => String(request.headers['x-rewrite-url'] ?? SOUND.pathOf(request)),
    },
    letIn: ['T-092/protected-path'],
  },
];
