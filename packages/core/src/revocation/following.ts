// Follows the feed of a list: once, and again if the feed has thrown. What the feed delivers is
// judged in list.ts.
import { closeForeign } from '../net/deadline.ts';
import { isPromise } from '../values/promise.ts';
import type { FollowedFeed, RevocationFeed, RevocationSink } from './feed.ts';

/** The following of one feed. */
export interface Following {
  /** Begins to follow, in the background. It may be called again. */
  start(): void;
  /** Stops, within a second. Rejects if the feed does not close. */
  close(): Promise<void>;
}

/** The pause after `follow` has thrown. */
const FOLLOW_AGAIN_MS = 5_000;

/** Makes the following of a feed. Does not follow it yet. */
export function createFollowing(feed: RevocationFeed, sink: RevocationSink): Following {
  let isStarted = false;
  let isClosed = false;
  let followed: FollowedFeed | undefined;
  let pause: NodeJS.Timeout | undefined;

  function follow(): void {
    let given: unknown;
    try {
      given = feed.follow(sink);
    } catch (error) {
      if (!isClosed) pause = setTimeout(follow, FOLLOW_AGAIN_MS).unref();
      sink.failed(error);
      return;
    }
    if (isFollowed(given)) followed = given;
    // A feed that returns something else may follow all the same, so it is not asked again.
    else sink.failed(notFollowed(given));
    // The feed may have closed the list.
    if (isClosed) end().catch(() => {});
  }

  async function end(): Promise<void> {
    const last = followed;
    followed = undefined;
    if (last !== undefined) await closeForeign(() => last.close(), feed.description);
  }

  return {
    start() {
      if (isStarted || isClosed) return;
      isStarted = true;
      follow();
    },
    close() {
      isClosed = true;
      clearTimeout(pause);
      return end();
    },
  };
}

function isFollowed(given: unknown): given is FollowedFeed {
  return typeof Reflect.get(Object(given), 'close') === 'function';
}

/** The error for another result, such as a promise, which then fails unnoticed. */
function notFollowed(given: unknown): TypeError {
  if (isPromise(given)) Promise.resolve(given).catch(() => {});
  return new TypeError('expected an object with close from follow of the revocationFeed');
}
