// Sends messages. It asks the friends service over HTTP, with the system token, whether two users
// are friends. Messages are not stored.
import type { Principal } from '@latchkey/core';
import { createServiceFetch, type ServiceFetch } from '@latchkey/core/signing';
import { SYSTEM_SUBJECT } from './system.ts';

/** A message that was sent. */
export interface SentMessage {
  readonly to: string | undefined;
  readonly from: string | undefined;
  readonly text: string;
}

/** The messages part of the service. */
export interface Messages {
  /** Sets the URL of the friends service. */
  connect(friendsUrl: string): void;
  /**
   * Sends a message if the friends service says that the two users are still friends.
   * @returns undefined if they are not
   */
  send(from: Principal, to: Principal, text: string): Promise<SentMessage | undefined>;
  close(): void;
}

/** Creates the messages part. Its calls send the token of the file only to the friends service. */
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
      if (calls === undefined) throw new Error('expected connect() to be called before send()');
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
