// The examples in comments: every function that users call has one, and all of them compile. The
// examples are not run.
import { execFileSync } from 'node:child_process';
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

/** The entry points whose functions users call, and the declarations that the examples assume. */
interface Package {
  readonly entries: readonly string[];
  readonly around: string;
}

/** The declarations that the examples of core assume. */
const ASSUMED = `
  import type { IncomingMessage, Server, ServerResponse } from 'node:http';
  import type { Duplex } from 'node:stream';
  declare const request: IncomingMessage;
  declare const response: ServerResponse;
  declare const server: Server;
  declare const socket: Duplex;
  declare const token: string;
  declare const friendToken: string;
  declare const [users, devices, services]: readonly [Authenticator, Authenticator, Authenticator];
  declare const authenticator: Authenticator;
  declare const principal: Principal;
  declare const jwk: JsonObject;
  declare const friendship: Capability;
  declare const secrets: SecretStore;
  declare function acceptWebSocket(request: IncomingMessage, socket: Duplex, head: Buffer): void;`;

const PACKAGES: Readonly<Record<string, Package>> = {
  core: {
    entries: ['index', 'signing/index', 'own-keys/index'],
    around: `
      import type { Authenticator, JsonObject, Principal, SecretStore } from '@latchkey/core';
      import { z } from 'zod';
      import type { Capability } from '@latchkey/core/signing';
      ${ASSUMED}`,
  },
  express: {
    entries: ['index'],
    around: `
      import type { Authenticator } from '@latchkey/core';
      import type { Signer } from '@latchkey/core/signing';
      import type { Express } from 'express';
      declare const app: Express;
      declare const authenticator: Authenticator;
      declare const signer: Signer;`,
  },
  koa: {
    entries: ['index'],
    around: `
      import type Router from '@koa/router';
      import type { Authenticator } from '@latchkey/core';
      import type { Signer } from '@latchkey/core/signing';
      import type Koa from 'koa';
      declare const app: Koa;
      declare const authenticator: Authenticator;
      declare const router: Router;
      declare const signer: Signer;`,
  },
  fastify: {
    entries: ['index'],
    around: `
      import type { Authenticator } from '@latchkey/core';
      import type { Signer } from '@latchkey/core/signing';
      import type { FastifyInstance } from 'fastify';
      declare const app: FastifyInstance;
      declare const authenticator: Authenticator;
      declare const signer: Signer;`,
  },
  nestjs: {
    entries: ['index', 'websockets'],
    around: `
      import type { Principal } from '@latchkey/core';
      import type { Signer } from '@latchkey/core/signing';
      import { Controller, Get, type INestApplication, Module, Post, UseFilters } from '@nestjs/common';
      import { WsAdapter } from '@nestjs/platform-ws';
      import { Test } from '@nestjs/testing';
      import { WebSocketGateway } from '@nestjs/websockets';
      declare const app: INestApplication;
      declare const signer: Signer;`,
  },
  mcp: {
    entries: ['index'],
    around: `
      import type { Authenticator, Principal } from '@latchkey/core';
      import type { AuthInfo } from '../../../src/index.ts';
      import type { IncomingMessage, ServerResponse } from 'node:http';
      import { authenticate } from '@latchkey/express';
      import express, { type Express, type RequestHandler } from 'express';
      declare const app: Express;
      declare const authenticator: Authenticator;
      declare const token: string;
      declare const request: Request;
      declare const principal: Principal;
      declare const incoming: IncomingMessage;
      declare const response: ServerResponse;
      declare const body: unknown;
      declare const requireBearerAuth: (options: object) => RequestHandler;
      declare const server: {
        registerTool(name: string, config: object, tool: (extra: { authInfo?: AuthInfo }) => object): void;
        connect(transport: object): Promise<void>;
      };
      declare const transport: {
        handleRequest(request: Request, options: { authInfo: AuthInfo }): Promise<Response>;
        handleRequest(
          request: IncomingMessage & { auth?: AuthInfo },
          response: ServerResponse,
          body: unknown,
        ): Promise<void>;
      };`,
  },
  ldap: { entries: ['index'], around: `import { createDirectoryStore } from '@latchkey/core';` },
  redis: {
    entries: ['index'],
    around: `
      import { type AuthenticatorOptions, createAuthenticator } from '@latchkey/core';
      import { createClient } from 'redis';
      declare const keySets: NonNullable<AuthenticatorOptions['keySets']>;
      declare const audience: string;
      declare const dpop: NonNullable<AuthenticatorOptions['dpop']>;`,
  },
  opentelemetry: { entries: ['index'], around: '' },
  'azure-key-vault': {
    entries: ['index'],
    around: `
      import type { TokenCredential } from '@azure/core-auth';
      declare const DefaultAzureCredential: new () => TokenCredential; // of @azure/identity`,
  },
  testing: { entries: ['index'], around: `import { createAuthenticator } from '@latchkey/core';` },
  cli: {
    entries: ['index'],
    around: `
      import type { Terminal } from '../../../src/index.ts';
      declare const terminal: Terminal;`,
  },
};

const root = fileURLToPath(new URL('../../..', import.meta.url));
const cacheOf = (home: string) => join(home, 'node_modules/.cache/latchkey-examples');

afterAll(() => {
  for (const name of Object.keys(PACKAGES))
    rmSync(cacheOf(join(root, 'packages', name)), { recursive: true, force: true });
  rmSync(cacheOf(root), { recursive: true, force: true });
});

describe.each(Object.keys(PACKAGES).filter((name) => name !== 'core'))('@latchkey/%s', (name) => {
  it('every function that users call has an example', async () => {
    const ofCore = new Set(
      Object.values(await exportsOf('core', ['index', 'signing/index', 'adapter/index'])),
    );
    const own = Object.entries(await exportsOf(name)).filter(([, value]) => !ofCore.has(value));
    expect(withoutExample(name, Object.fromEntries(own))).toEqual([]);
  });
});

it('@latchkey/core: every function that users call has an example', async () => {
  expect(withoutExample('core', await exportsOf('core'))).toEqual([]);
});

it('all examples compile', async () => {
  const files = await Promise.all(Object.keys(PACKAGES).map(writeExamples));
  const folder = cacheOf(root);
  mkdirSync(folder, { recursive: true });
  const compilerOptions = {
    noEmit: true,
    declaration: false,
    noUnusedLocals: false,
    experimentalDecorators: true,
    customConditions: ['source'],
  };
  const project = { extends: join(root, 'tsconfig.base.json'), compilerOptions, files };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(project));
  expect(compile(folder)).toBe('');
}, 60_000);

/** Returns the messages of the compiler. */
function compile(folder: string): string {
  try {
    return execFileSync('tsc', ['-p', folder], { cwd: root, encoding: 'utf8' });
  } catch (error) {
    return String((error as { readonly stdout: unknown }).stdout);
  }
}

async function exportsOf(
  name: string,
  entries: readonly string[] = PACKAGES[name]!.entries,
): Promise<Readonly<Record<string, unknown>>> {
  const modules = entries.map((entry) => import(join(root, 'packages', name, 'src', `${entry}.ts`)));
  return Object.assign({}, ...(await Promise.all(modules)));
}

function withoutExample(name: string, exported: Readonly<Record<string, unknown>>): readonly string[] {
  const there = new Set(examplesOf(name).map((example) => example.of));
  return Object.entries(exported)
    .filter(([, value]) => typeof value === 'function' && !(value.prototype instanceof Error))
    .map(([exportedName]) => exportedName)
    .filter((exportedName) => exportedName !== 'default' && !there.has(exportedName));
}

/**
 * Writes the examples of a package to one file, each in a function, after an import of all exports.
 */
async function writeExamples(name: string): Promise<string> {
  const home = join(root, 'packages', name);
  const folder = cacheOf(home);
  const imports = await Promise.all(
    PACKAGES[name]!.entries.map(async (entry) => {
      const names = Object.keys(await exportsOf(name, [entry])).filter((each) => each !== 'default');
      return `import { ${names.join(', ')} } from '${relative(folder, join(home, 'src', `${entry}.ts`))}';`;
    }),
  );
  const functions = examplesOf(name).map(({ of, code }) => `async function _${of}() {\n${code}\n}`);
  const file = join(folder, 'examples.mts');
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, [...imports, PACKAGES[name]!.around, ...functions].join('\n'));
  return file;
}

/** Returns the examples in a package's comments, each with the name of its function. */
function examplesOf(name: string): readonly { readonly of: string; readonly code: string }[] {
  const commented =
    /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n(?:\/\/ biome-ignore .*\n)?export (?:async )?(?:function|const|class) (\w+)/g;
  return globSync(join(root, 'packages', name, 'src/**/*.ts')).flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(commented)].flatMap(([, comment = '', of = '']) => {
      const [, code] = /@example\n \* ```ts\n([\s\S]*?) \* ```/.exec(comment) ?? [];
      return code === undefined ? [] : [{ of, code: code.replaceAll(/^ \* ?/gm, '') }];
    }),
  );
}
