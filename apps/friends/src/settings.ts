// Reads the settings of a sample service from environment variables. Nothing is created here.
import type { KeysetOptions } from '@latchkey/core';

/** The settings from the environment. */
export interface ServiceSettings {
  readonly keySets: readonly KeysetOptions[];
  readonly audience: string;
  /** The URL of this service as clients write it: proofs of bound tokens (DPoP) are for it. */
  readonly publicUrl: string;
  readonly realm: string;
  /** The directory of the system token, which is created if it is missing. */
  readonly authDirectory: string;
  /** Undefined: this service is its own friends service. */
  readonly friendsUrl: string | undefined;
  readonly host: string;
  readonly port: number;
}

/**
 * Reads ISSUER, AUDIENCE, PUBLIC_URL, ALLOW_HTTP_ISSUER, AUTH_DIRECTORY, FRIENDS_URL, HOST and
 * PORT. Ends the process with exit code 2 if ISSUER or AUDIENCE is missing.
 */
export function readSettings(): ServiceSettings {
  const { ISSUER, AUDIENCE, ALLOW_HTTP_ISSUER, AUTH_DIRECTORY = '.auth', FRIENDS_URL } = process.env;
  const { PORT = '3000', HOST = '127.0.0.1', PUBLIC_URL = `http://localhost:${PORT}` } = process.env;
  if (ISSUER === undefined || AUDIENCE === undefined) {
    console.error(
      'expected ISSUER (the trusted issuer) and AUDIENCE (the audience of this service) in the environment',
    );
    process.exit(2);
  }
  return {
    keySets: [{ issuer: ISSUER, useOidcDiscovery: true, allowHttp: ALLOW_HTTP_ISSUER === 'true' }],
    audience: AUDIENCE,
    publicUrl: PUBLIC_URL,
    realm: 'friends-and-messages',
    authDirectory: AUTH_DIRECTORY,
    friendsUrl: FRIENDS_URL,
    host: HOST,
    port: Number(PORT),
  };
}
