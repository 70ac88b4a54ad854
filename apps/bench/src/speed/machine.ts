// Describes the machine and the versions of a run, without which its figures mean nothing. It
// measures nothing.
import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { availableParallelism, cpus, totalmem } from 'node:os';

/** The machine and the versions that ran on it. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly node: string;
  readonly openssl: string;
  /** `express 5.3.0`, and so on. */
  readonly packages: readonly string[];
}

const PACKAGES = [
  'express',
  'koa',
  '@koa/router',
  'fastify',
  '@nestjs/core',
  'express-jwt',
  'express-oauth2-jwt-bearer',
  'passport',
  'passport-jwt',
  'jwks-rsa',
  'koa-jwt',
  '@fastify/jwt',
  'get-jwks',
  '@nestjs/jwt',
  '@nestjs/passport',
  'fast-jwt',
  'jose',
  'jsonwebtoken',
  'aws-jwt-verify',
  'autocannon',
];

/** Describes this machine. */
export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    openssl: process.versions.openssl,
    packages: PACKAGES.map((name) => `${name} ${versionOf(name)}`),
  };
}

function versionOf(name: string): string {
  const path = findPackageJSON(name, import.meta.url);
  if (path === undefined) return 'unknown';
  const manifest: { readonly version: string } = JSON.parse(readFileSync(path, 'utf8'));
  return manifest.version;
}
