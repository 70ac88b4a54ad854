// Settings of a sample service, from the environment: whom it trusts, who it is, and where it
// listens.
import type { KeysetOptions } from '@latchkey/core';

/** What the environment says. */
export interface ServiceSettings {
  readonly keySets: readonly KeysetOptions[];
  readonly audience: string;
  readonly realm: string;
  /** Where the system's token is, and is made if there is none. */
  readonly authDirectory: string;
  /** Undefined: this service is its own friends service. */
  readonly friendsUrl: string | undefined;
  readonly host: string;
  readonly port: number;
}

/**
 * Reads ISSUER, AUDIENCE, ALLOW_HTTP_ISSUER, AUTH_DIRECTORY, FRIENDS_URL, HOST and PORT. Ends the
 * process with 2 if one is missing.
 */
export function readSettings(): ServiceSettings {
  const { ISSUER, AUDIENCE, ALLOW_HTTP_ISSUER, AUTH_DIRECTORY = '.auth', FRIENDS_URL } = process.env;
  const { PORT = '3000', HOST = '127.0.0.1' } = process.env;
  if (ISSUER === undefined || AUDIENCE === undefined) {
    console.error('ISSUER and AUDIENCE are needed: whom to trust, and who this service is.');
    process.exit(2);
  }
  return {
    keySets: [{ issuer: ISSUER, useOidcDiscovery: true, allowHttp: ALLOW_HTTP_ISSUER === 'true' }],
    audience: AUDIENCE,
    realm: 'friends-and-messages',
    authDirectory: AUTH_DIRECTORY,
    friendsUrl: FRIENDS_URL,
    host: HOST,
    port: Number(PORT),
  };
}
