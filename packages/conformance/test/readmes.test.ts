// Every program of every README compiles in TypeScript under `strict`, JavaScript too. Programs
// that leave out their imports get the exports of their package; the rest that they assume is here.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** What the programs of a README assume. */
interface Readme {
  /** Their exports are there without an import. */
  readonly modules: readonly string[];
  readonly imports?: string;
  /** Declarations of the rest. */
  readonly assumed?: string;
  /** Options of the compiler, where packages of others need them. */
  readonly options?: { readonly [name: string]: boolean };
}

const COMMON = `
  const authenticator: core.Authenticator;
  const secrets: core.SecretStore;
  const logIn: (body: unknown) => { access_token: core.JsonObject; refresh_token: core.JsonObject };
  interface Sockets {
    handleUpgrade(
      request: object,
      socket: object,
      head: object,
      take: (socket: {
        close(code: number, reason?: string): void;
        on(event: 'close', listener: () => void): void;
      }) => void,
    ): void;
  }
  const wss: Sockets;`;

const READMES: Readonly<Record<string, Readme>> = {
  'packages/core': {
    modules: ['@latchkey/core', '@latchkey/core/signing', '@latchkey/core/adapter'],
    assumed: `
      ${COMMON}
      const principal: core.Principal;
      const folder: string;
      interface Customer { readonly audience: string }
      const customers: {
        find(by: { readonly [column: string]: string }): Promise<Customer | undefined>;
      };
      const batchToken: string;
      const billingToken: string;
      const loginKeySets: core.AuthenticatorOptions['keySets'];
      const deviceKeySets: core.AuthenticatorOptions['keySets'];
      const request: import('node:http').IncomingMessage;
      const req: import('node:http').IncomingMessage & { auth: core.Principal; body: { friendToken: string } };
      const ldap: Parameters<typeof import('@latchkey/ldap').createLdapGroups>[0];
      const handler: () => void;
      const requireClaims: (rules: core.Rules) => () => void;
      const authenticate: (options: core.AuthenticatorOptions) => () => void;
      type Next = (req: typeof request, res: import('node:http').ServerResponse, next: () => void) => void;
      const app: { use(handler: Next): void; get(path: string, ...handlers: (() => void)[]): void };`,
  },
  'packages/express': {
    modules: ['@latchkey/express', '@latchkey/express/signing'],
    imports: `import expressOf from 'express';`,
    assumed: `
      ${COMMON}
      const express: typeof expressOf;
      const app: expressOf.Express;
      const io: import('socket.io').Server;
      const server: import('node:http').Server;`,
  },
  'packages/koa': {
    modules: ['@latchkey/koa', '@latchkey/koa/signing'],
    imports: `
      import type { AuthState as State } from '@latchkey/koa';
      import RouterOf from '@koa/router';
      import KoaOf from 'koa';
      // As the types of a body parser do.
      declare module 'koa' {
        interface Request {
          body?: unknown;
        }
      }`,
    assumed: `
      ${COMMON}
      type AuthState = State;
      const Koa: typeof KoaOf;
      const Router: typeof RouterOf;
      const app: KoaOf;
      const router: RouterOf;
      const createServer: typeof import('node:http').createServer;`,
  },
  'packages/fastify': {
    modules: ['@latchkey/fastify', '@latchkey/fastify/signing'],
    imports: `
      import type { LatchkeyOptions, RouteConfig as Config } from '@latchkey/fastify';
      import fastifyOf, { type FastifyInstance, type FastifyRequest } from 'fastify';`,
    assumed: `
      ${COMMON}
      const fastify: typeof fastifyOf;
      const app: FastifyInstance;
      const options: LatchkeyOptions;
      const partnerOptions: LatchkeyOptions;
      const listOrders: (request: FastifyRequest) => Promise<unknown>;
      const server: Sockets;`,
  },
  'packages/web': {
    modules: ['@latchkey/web', '@latchkey/web/signing'],
    imports: `import type { Guard, Principal } from '@latchkey/web';`,
    assumed: `
      ${COMMON}
      const guard: Guard<Principal>;
      const options: core.AuthenticatorOptions & { readonly mode: 'strict' };
      const request: Request;`,
  },
  'packages/hono': {
    modules: ['@latchkey/hono', '@latchkey/hono/signing'],
    imports: `
      import type { AuthVariables as Variables } from '@latchkey/hono';
      import { Hono as HonoOf } from 'hono';
      import { HTTPException as ExceptionOf } from 'hono/http-exception';`,
    assumed: `
      ${COMMON}
      type AuthVariables = Variables;
      const Hono: typeof HonoOf;
      const HTTPException: typeof ExceptionOf;
      const app: HonoOf;`,
  },
  'packages/nestjs': { modules: [] },
  'packages/testing': {
    modules: ['@latchkey/testing', '@latchkey/core'],
    // Nest is no dependency of this package; the program runs in the tests of its adapter.
    assumed: `
      const LATCHKEY_AUTHENTICATOR: symbol;
      const AppModule: unknown;
      const Test: any;`,
  },
  'packages/mcp': {
    modules: ['@latchkey/mcp'],
    imports: `
      import type { McpServer } from '@modelcontextprotocol/server';
      import type { NodeStreamableHTTPServerTransport as NodeTransport } from '@modelcontextprotocol/node';
      import expressOf from 'express';`,
    assumed: `
      const authenticator: core.Authenticator;
      const principal: core.Principal;
      const body: unknown;
      const response: import('node:http').ServerResponse;
      const app: expressOf.Express;
      const server: McpServer;
      const NodeStreamableHTTPServerTransport: typeof NodeTransport;
      // The types of SDK v1 do not fit exactOptionalPropertyTypes.
      const createServer: () => { connect(transport: object): Promise<void>; close(): Promise<void> };
      const challenge: import('@latchkey/mcp').ScopeChallenge;`,
    // The types of SDK v1 name a type of the DOM.
    options: { skipLibCheck: true },
  },
  'packages/redis': { modules: [] },
  'packages/ldap': { modules: ['@latchkey/ldap'], assumed: 'const secrets: core.SecretStore;' },
};

const cacheOf = (folder: string) => join(root, folder, 'node_modules/.cache/latchkey-readme');

afterAll(() => {
  for (const folder of Object.keys(READMES)) rmSync(cacheOf(folder), { recursive: true, force: true });
});

it.each(Object.keys(READMES))(
  'all programs of the README in %s compile',
  async (folder) => {
    expect(await compile(folder)).toBe('');
  },
  120_000,
);

async function compile(folder: string): Promise<string> {
  const cache = cacheOf(folder);
  rmSync(cache, { recursive: true, force: true });
  mkdirSync(cache, { recursive: true });
  const programs = programsIn(readFileSync(join(root, folder, 'README.md'), 'utf8'));
  const scripts = programs.filter(({ language }) => language === 'js').map(({ line }) => line);
  for (const { line, code } of programs)
    writeFileSync(join(cache, `line-${line}.mts`), `${code}\nexport {};\n`);
  writeFileSync(join(cache, 'globals.d.mts'), await globalsOf(READMES[folder] ?? { modules: [] }));
  const compilerOptions = {
    ...READMES[folder]?.options,
    noEmit: true,
    declaration: false,
    noUnusedLocals: false,
    noUnusedParameters: false,
    experimentalDecorators: true,
    // The types of Hono need those of a browser.
    skipLibCheck: true,
    customConditions: ['source'],
    // No dependency of core.
    paths: { '@latchkey/ldap': [join(root, 'packages/ldap/src/index.ts')] },
  };
  const settings = { extends: join(root, 'tsconfig.base.json'), compilerOptions, include: ['*'] };
  writeFileSync(join(cache, 'tsconfig.json'), JSON.stringify(settings));
  try {
    return execFileSync('tsc', ['-p', cache], { cwd: root, encoding: 'utf8' });
  } catch (error) {
    const printed = String((error as { readonly stdout: unknown }).stdout).split('\n');
    // JavaScript has no types of parameters.
    const isUntyped = (message: string) =>
      / TS70(?:06|31):/.test(message) && scripts.some((line) => message.includes(`/line-${line}.mts`));
    return printed.filter((message) => !isUntyped(message)).join('\n');
  }
}

async function globalsOf({ modules, imports = '', assumed = '' }: Readme): Promise<string> {
  // Two entry points may export one function: the first that has it declares it.
  const owners = new Map<string, string>();
  for (const name of modules)
    for (const each of Object.keys((await import(sourceOf(name))) as object))
      if (each !== 'default' && !owners.has(each)) owners.set(each, name);
  const members = [...owners]
    .map(([each, name]) => `const ${each}: typeof import('${name}').${each};`)
    .join('\n');
  return `import type * as core from '@latchkey/core';\n${imports}\ndeclare global {\n${members}\n${assumed}\n}\n`;
}

/** The source of an entry point: this package does not depend on all of them. */
function sourceOf(name: string): string {
  const [, folder = '', entry] = name.split('/');
  const inside =
    folder === 'core' ? `${entry ?? '.'}/index.ts` : entry === undefined ? 'index.ts' : 'core-signing.ts';
  return join(root, 'packages', folder, 'src', inside);
}

interface Program {
  readonly line: number;
  readonly language: string;
  readonly code: string;
}

/** The blocks of JavaScript and TypeScript, with their lines. */
function programsIn(text: string): readonly Program[] {
  return [...text.matchAll(/```(js|ts)\n([\s\S]*?)```/g)].map(
    ({ index, 1: language = '', 2: code = '' }) => ({
      line: text.slice(0, index).split('\n').length,
      language,
      code,
    }),
  );
}
