// Messages, as a service of their own: it asks the friends service, wherever that is, with the
// system token.
import type { Principal } from '@latchkey/core';
import { createServiceFetch, type ServiceFetch } from '@latchkey/core/signing';
import { SYSTEM_SUBJECT } from './system.ts';

/** What was sent. */
export interface SentMessage {
  readonly to: string | undefined;
  readonly from: string | undefined;
  readonly text: string;
}

/** What the service does with messages. */
export interface Messages {
  /** Says where the friends service is. */
  connect(friendsUrl: string): void;
  /**
   * Sends a message, if the friends service says that the two are still friends.
   * @returns undefined if they are not
   */
  send(from: Principal, to: Principal, text: string): Promise<SentMessage | undefined>;
  close(): void;
}

/**
 * Makes the service. Its calls carry the token in this file, to the friends service and to nobody
 * else.
 */
export function createMessages({
  systemToken,
  audience,
}: {
  readonly systemToken: string;
  readonly audience: string;
}): Messages {
  let friendsUrl = '';
  let calls: ServiceFetch | undefined;
  return {
    connect(url) {
      friendsUrl = url;
      const hosts = [new URL(url).host];
      calls = createServiceFetch({
        tokens: [{ file: systemToken, audience, hosts, subject: SYSTEM_SUBJECT }],
      });
    },
    async send(from, to, text) {
      if (calls === undefined) throw new Error('not connected to a friends service');
      const path = `/internal/friends/${encodeURIComponent(from.subject ?? '')}`;
      const response = await calls.fetch(new URL(path, friendsUrl), { signal: AbortSignal.timeout(5_000) });
      if (!response.ok) throw new Error(`the friends service answered with status ${response.status}`);
      const { friends } = (await response.json()) as { friends: readonly string[] };
      return friends.includes(to.subject ?? '') ? { to: to.subject, from: from.subject, text } : undefined;
    },
    close() {
      calls?.close();
    },
  };
}
