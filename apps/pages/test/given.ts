// What the programs of pages use and do not declare. A README may leave out the imports of its
// package; a page of docs may leave out those of core.
import type { Given } from './blocks.ts';
import type { Page } from './pages.ts';

/** By package, the entry points whose exports its README uses without an import. */
const MODULES: Readonly<Record<string, readonly string[]>> = {
  core: ['@latchkey/core', '@latchkey/core/signing', '@latchkey/core/adapter'],
  express: ['@latchkey/express', '@latchkey/express/signing'],
  koa: ['@latchkey/koa', '@latchkey/koa/signing'],
  fastify: ['@latchkey/fastify', '@latchkey/fastify/signing'],
  web: ['@latchkey/web', '@latchkey/web/signing'],
  hono: ['@latchkey/hono', '@latchkey/hono/signing'],
  mcp: ['@latchkey/mcp'],
  testing: ['@latchkey/testing', '@latchkey/core'],
  ldap: ['@latchkey/ldap'],
};

const SOCKETS = `{
  handleUpgrade(request: object, socket: object, head: object, take: (socket: {
    close(code: number, reason?: string): void;
    on(event: 'close', listener: () => void): void;
  }) => void): void;
}`;
const KEYSETS = "import('@latchkey/core').AuthenticatorOptions['keySets']";

/** The values that any page may use. Those of an adapter hide them. */
const COMMON: Given['values'] = {
  authenticator: "import('@latchkey/core').Authenticator",
  principal: "import('@latchkey/core').Principal",
  secrets: "import('@latchkey/core').SecretStore",
  request: "import('node:http').IncomingMessage",
  logIn:
    "(body: unknown) => { access_token: import('@latchkey/core').JsonObject; refresh_token: import('@latchkey/core').JsonObject }",
  wss: SOCKETS,
};

/** By adapter, the values of its README, and of the pages that import it. */
const BY_ADAPTER: Readonly<Record<string, Given['values']>> = {
  mcp: {
    body: 'unknown',
    response: "import('node:http').ServerResponse",
    app: "import('express').Express",
    server: "import('@modelcontextprotocol/server').McpServer",
    NodeStreamableHTTPServerTransport:
      "typeof import('@modelcontextprotocol/node').NodeStreamableHTTPServerTransport",
    // The types of SDK v1 do not fit exactOptionalPropertyTypes.
    createServer: '() => { connect(transport: object): Promise<void>; close(): Promise<void> }',
    challenge: "import('@latchkey/mcp').ScopeChallenge",
  },
  express: {
    express: "typeof import('express')",
    app: "import('express').Express",
    router: "import('express').Router",
    io: "import('socket.io').Server",
    server: "import('node:http').Server",
  },
  koa: {
    Koa: "typeof import('koa')",
    Router: "typeof import('@koa/router').default",
    app: "import('koa')",
    router: "import('@koa/router').default",
    createServer: "typeof import('node:http').createServer",
  },
  fastify: {
    fastify: "typeof import('fastify').default",
    app: "import('fastify').FastifyInstance",
    options: "import('@latchkey/fastify').LatchkeyOptions",
    partnerOptions: "import('@latchkey/fastify').LatchkeyOptions",
    listOrders: "(request: import('fastify').FastifyRequest) => Promise<unknown>",
    server: SOCKETS,
  },
  web: {
    guard: "import('@latchkey/web').Guard<import('@latchkey/web').Principal>",
    options: "import('@latchkey/core').AuthenticatorOptions & { readonly mode: 'strict' }",
    request: 'Request',
  },
  hono: {
    Hono: "typeof import('hono').Hono",
    HTTPException: "typeof import('hono/http-exception').HTTPException",
    app: "import('hono').Hono",
  },
};

/** By page, further values. */
const BY_PAGE: Readonly<Record<string, Given['values']>> = {
  'docs/dpop.md': { port: 'number' },
  'docs/exchange.md': {
    signer: "import('@latchkey/core/signing').Signer",
    idToken: 'string',
    url: 'string',
  },
  'docs/logout.md': {
    sessions: '{ end(of: { sub: string | undefined; sid: string | undefined }): Promise<void> }',
  },
  'docs/mcp.md': {
    clientAuthentication: "import('@latchkey/core/signing').ExchangeOptions['clientAuthentication']",
  },
  'docs/mutual-tls.md': {
    port: 'number',
    ca: 'string',
    guard: "import('@latchkey/web').Guard<import('@latchkey/web').Principal>",
    // What srvx and Bun add.
    request: "Request & { runtime: { node: { req: import('node:http').IncomingMessage } } }",
    server: '{ requestIP(request: Request): { address: string } }',
  },
  'docs/guides/web-standard.md': { app: "import('hono').Hono" },
  'packages/testing/README.md': {
    app: "import('express').Express",
    Test: "typeof import('@nestjs/testing').Test",
    AppModule: 'new () => object',
    LATCHKEY_AUTHENTICATOR: 'symbol',
  },
  'docs/guides/groups.md': { ldap: "Parameters<typeof import('@latchkey/ldap').createLdapGroups>[0]" },
  'docs/guides/key-sources.md': { folder: 'string', batchToken: 'string', billingToken: 'string' },
  'docs/guides/several-tokens.md': { loginKeySets: KEYSETS, deviceKeySets: KEYSETS },
  'docs/guides/signing.md': {
    req: "import('node:http').IncomingMessage & { auth: import('@latchkey/core').Principal; body: { friendToken: string } }",
  },
  'docs/guides/tenants.md': {
    customers:
      '{ find(by: { readonly [column: string]: string }): Promise<{ audience: string } | undefined> }',
  },
};

/** What the programs of a page are given: a function of the code of a module. */
export async function givensOf({ path }: Page): Promise<(code: string) => Given> {
  const [, own] = /^packages\/([\w-]+)\/README\.md$/.exec(path) ?? [];
  const all = new Map<string, string>();
  for (const name of own === undefined ? (MODULES.core ?? []) : (MODULES[own] ?? []))
    for (const each of Object.keys((await import(name)) as object))
      if (each !== 'default' && !all.has(each)) all.set(each, `import { ${each} } from '${name}';`);
  return (code) => {
    const isImported = (name: string) => code.includes(`from '@latchkey/${name}`);
    const adapter = own ?? Object.keys(BY_ADAPTER).find(isImported) ?? '';
    const values = { ...COMMON, ...BY_ADAPTER[adapter], ...BY_PAGE[path] };
    return { imports: new Map([...all].filter(([name]) => !Object.hasOwn(values, name))), values };
  };
}
