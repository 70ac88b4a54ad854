// `requireBearerAuth` of both versions of the SDK. They are loaded by a name that the compiler does
// not follow: both declare `req.auth` of Express for the whole program, each in its own way.
import type { RequestHandler } from 'express';
import type { TokenVerifier } from '../src/index.ts';

/** The options that both versions have. */
export interface GuardOptions {
  readonly verifier: TokenVerifier;
  readonly requiredScopes?: readonly string[];
  readonly resourceMetadataUrl?: string;
  readonly expectedResource?: URL;
}

type Guard = (options: GuardOptions) => RequestHandler;

const load = async (name: string): Promise<Guard> =>
  ((await import(/* @vite-ignore */ name)) as { requireBearerAuth: Guard }).requireBearerAuth;

/** By version. */
export const guards: Readonly<Record<'v1' | 'v2', Guard>> = {
  v1: await load('@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'),
  v2: await load('@modelcontextprotocol/express'),
};
