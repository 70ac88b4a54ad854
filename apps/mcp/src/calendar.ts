// Calls to the API of calendars for the caller of a tool. The token of the caller is for the notes
// service, so it is exchanged for one of that API, and never passed on.
import { createDirectoryStore, type Principal } from '@latchkey/express';
import { createExchange, createServiceFetch } from '@latchkey/express/signing';

/** Where calendars are, and where tokens for them are. */
export interface CalendarOptions {
  /** The URL of the API, which is the resource that tokens are asked for. */
  readonly url: string;
  readonly tokenEndpoint: string;
  readonly clientId: string;
  /** The folder with the secret of the client, in `login/client-secret`. */
  readonly secrets: string;
}

/** The calendars of callers. */
export interface Calendar {
  /** Returns the events of a caller. @throws AuthError without a token for the caller */
  events(caller: Principal): Promise<string>;
  close(): Promise<void>;
}

/** Makes calls to the API. */
export function createCalendar({ url, tokenEndpoint, clientId, secrets }: CalendarOptions): Calendar {
  const exchange = createExchange({
    tokenEndpoint,
    clientAuthentication: {
      method: 'client_secret_basic',
      clientId,
      secret: { name: 'login', key: 'client-secret' },
    },
    secrets: createDirectoryStore(secrets),
  });
  const calls = createServiceFetch({ tokens: [{ exchange, resource: url, hosts: [new URL(url).host] }] });
  return {
    async events(caller) {
      const answer = await calls.for(caller)(new URL('/events', url));
      if (!answer.ok) throw new Error(`the calendar answered with ${answer.status}`);
      return answer.text();
    },
    async close() {
      calls.close();
      await exchange.close();
    },
  };
}
