// What the tests of token exchange share: a token endpoint on loopback that records the forms it is
// sent, exchanges that ask it, and outcomes as one text.
import { vi } from 'vitest';
import { isAuthError } from '../../src/errors.ts';
import { createExchange, type Exchange } from '../../src/exchange/exchange.ts';
import type { ExchangeOptions } from '../../src/exchange/options.ts';
import { createMemoryStore } from '../../src/secrets/store.ts';
import { type Answer, type Asked, clock, endpoint, jwt, NOW } from '../remote/endpoints.ts';
import { closing } from '../support/closing.ts';

export const URN = 'urn:ietf:params:oauth:token-type:';
export const GRANT = 'urn:ietf:params:oauth:grant-type:';
export const REFUSED = '403 exchange_refused';
export const UNAVAILABLE = '503 exchange_unavailable';

/** A token of a caller, valid for an hour. */
export const subjectOf = (sub: string, more: { readonly exp?: number } = {}) =>
  jwt({ sub, exp: NOW + 3_600, ...more });

export const ALICE = subjectOf('alice');

export const CLIENT = {
  method: 'client_secret_basic',
  clientId: 'orders',
  secret: { name: 'login', key: 'secret' },
} as const;

/** A good answer with these members. */
export const issued = (more: object = {}): Answer => ({
  body: {
    access_token: 'issued',
    token_type: 'Bearer',
    issued_token_type: `${URN}access_token`,
    expires_in: 300,
    ...more,
  },
});

/** An error answer of OAuth. */
export const refusing = (error: string, status = 400): Answer => ({
  status,
  body: { error, error_description: 'a text of the server about alice' },
});

/** The form of a request: each name with its value, or its values. */
export function formOf(asked: Asked | undefined): Record<string, string | readonly string[]> {
  const form = new URLSearchParams(asked?.body);
  return Object.fromEntries(
    [...new Set(form.keys())].map((name) => {
      const all = form.getAll(name);
      return [name, all.length === 1 ? String(all[0]) : all];
    }),
  );
}

type Says = Parameters<typeof endpoint>[0];

/** An exchange at a token endpoint of its own. */
export async function exchanging(says: Says = issued(), more: Partial<ExchangeOptions> = {}) {
  vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  const server = await endpoint(says);
  return { server, exchange: exchangeAt(server.url, more) };
}

/** An exchange at this token endpoint. */
export function exchangeAt(tokenEndpoint: string, more: Partial<ExchangeOptions> = {}): Exchange {
  return exchangeWith({ tokenEndpoint, ...more });
}

/** An exchange of the client with these options. */
export function exchangeWith(options: Partial<ExchangeOptions>): Exchange {
  const secrets = createMemoryStore({ login: { secret: 'a+b c' }, chat: { secret: 'other' } });
  return closing(createExchange({ clientAuthentication: CLIENT, secrets, clock, ...options }));
}

/** The token, or the status and the code of the error. */
export async function outcomeOf(work: Promise<{ readonly token: string }>): Promise<string> {
  try {
    return (await work).token;
  } catch (error) {
    if (isAuthError(error)) return `${error.status} ${error.code}`;
    throw error;
  }
}
