// Checks the versions in SUPPORT.md against the manifests.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const page = readFileSync('SUPPORT.md', 'utf8').replaceAll('\\|', '|');

it.each([
  ['Express', 'express', 'express'],
  ['Koa', 'koa', 'koa'],
  ['Fastify', 'fastify', 'fastify'],
  ['NestJS', 'nestjs', '@nestjs/core'],
  ['Hono', 'hono', 'hono'],
])('names the versions of %s that the package asks for', (title, folder, peer) => {
  const { peerDependencies, engines } = JSON.parse(
    readFileSync(`packages/${folder}/package.json`, 'utf8'),
  ) as {
    readonly peerDependencies: Readonly<Record<string, string>>;
    readonly engines: { readonly node: string };
  };
  expect(page).toContain(`| ${title} | ${peerDependencies[peer]} |`);
  expect(page).toContain(`| Node | ${engines.node.replace('>=', '')} or later`);
});
