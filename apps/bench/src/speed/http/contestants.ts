// The contestants on each framework. Only names are here; each framework's file has the setup.

/** A service on a framework. */
export interface Contestant {
  /** The name in the framework's file. */
  readonly name: string;
  readonly label: string;
  /** `bare`: a middleware, hook or guard that does nothing. */
  readonly kind: 'bare' | 'latchkey' | 'existing';
  /** True if a token seen before costs it less than a new one. */
  readonly cached?: true;
  /** Left out of quick runs. */
  readonly thorough?: true;
}

/** A framework and its contestants. */
export interface Framework {
  readonly name: 'express' | 'koa' | 'fastify' | 'nestjs';
  readonly label: string;
  /** The least ratio to the fastest existing package, for RS256 and tokens seen before. */
  readonly goal: number;
  readonly contestants: readonly Contestant[];
}

const BARE: Contestant = { name: 'bare', label: 'bare', kind: 'bare' };
const LATCHKEY: Contestant = { name: 'latchkey', label: 'Latchkey', kind: 'latchkey', cached: true };
/** A listener counts the event of each decision. */
export const COUNTED: Contestant = { ...LATCHKEY, name: 'latchkey-counted', label: 'Latchkey, counted' };

/** All frameworks. The first contestant is bare, the second is Latchkey. */
export const FRAMEWORKS: readonly Framework[] = [
  {
    name: 'express',
    label: 'Express',
    goal: 3.5,
    contestants: [
      BARE,
      LATCHKEY,
      COUNTED,
      existing('express-jwt', 'express-jwt + jwks-rsa'),
      existing('express-oauth2-jwt-bearer'),
      { ...existing('passport-jwt', 'passport-jwt + jwks-rsa'), thorough: true },
    ],
  },
  {
    name: 'koa',
    label: 'Koa',
    goal: 8,
    contestants: [
      BARE,
      LATCHKEY,
      existing('koa-jwt', 'koa-jwt + jwks-rsa'),
      { ...existing('koa-jwt-fixed', 'koa-jwt, fixed key'), thorough: true },
    ],
  },
  {
    name: 'fastify',
    label: 'Fastify',
    goal: 1.9,
    contestants: [
      BARE,
      LATCHKEY,
      { ...existing('fastify-jwt-jwks', '@fastify/jwt + get-jwks, cache on'), cached: true },
      { ...existing('fastify-jwt-cached', '@fastify/jwt, fixed key, cache on'), cached: true },
      { ...existing('fastify-jwt', '@fastify/jwt, fixed key, cache off'), thorough: true },
    ],
  },
  {
    name: 'nestjs',
    label: 'NestJS',
    goal: 3.5,
    contestants: [
      BARE,
      LATCHKEY,
      existing('nestjs-jwt', '@nestjs/jwt + jwks-rsa'),
      { ...existing('nestjs-jwt-fixed', '@nestjs/jwt, fixed key'), thorough: true },
      existing('nestjs-passport', '@nestjs/passport + passport-jwt + jwks-rsa'),
    ],
  },
];

function existing(name: string, label: string = name): Contestant {
  return { name, label, kind: 'existing' };
}
