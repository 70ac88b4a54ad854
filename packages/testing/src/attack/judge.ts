// Whether an answer means that a forged request was let in. It is compared with the answers of the
// service to a good token, and to requests for which no token is needed.
import type { AttackAnswer } from './options.ts';
import type { Outcome } from './send.ts';

/** What the service answers when it is not attacked. */
export interface Baseline {
  /** To a request with a good token. */
  readonly good: AttackAnswer;
  /** To requests without a token for paths of no route and for public paths. */
  readonly open: readonly Outcome[];
}

/** 501: a method that the server does not know. 503: it cannot decide. 505: a version of HTTP. */
const DELIBERATE: ReadonlySet<number> = new Set([501, 503, 505]);

/** True for an answer that says that the service has failed. */
export function hasFailed(outcome: Outcome): boolean {
  if (typeof outcome === 'string') return outcome === 'late';
  return outcome.status >= 500 && !DELIBERATE.has(outcome.status);
}

/**
 * True if the handler of the route seems to have answered a request for another path or method: the
 * status is 200 to 299, the content is of the same type as for a good token, and it is not what
 * everybody gets. A router that redirects to the right path lets nothing in.
 */
export function isLetInElsewhere(answer: AttackAnswer, method: string, { good, open }: Baseline): boolean {
  const { status, headers, body } = answer;
  if (status === 101) return true;
  if (status < 200 || status > 299) return false;
  if (headers['content-type'] !== good.headers['content-type']) return false;
  // A handler that sends no body cannot be told from a server that answers OPTIONS by itself.
  if (method === 'OPTIONS' && body === '') return false;
  // What frameworks answer to OPTIONS: the methods of the route.
  if (method !== 'HEAD' && body !== '' && body.replaceAll(' ', '') === headers.allow?.replaceAll(' ', ''))
    return false;
  return !open.some((other) => typeof other !== 'string' && isSame(other, answer));
}

/** The length tells answers to HEAD apart, which have no body. */
function isSame(one: AttackAnswer, other: AttackAnswer): boolean {
  const length = (answer: AttackAnswer) => answer.headers['content-length'];
  return one.status === other.status && one.body === other.body && length(one) === length(other);
}

/** True if the answer is like that to a good token: equal, or JSON with the same members. */
export function isLikeGood({ body }: AttackAnswer, { good }: Baseline): boolean {
  if (body === good.body) return true;
  const [ours, theirs] = [membersOf(body), membersOf(good.body)];
  return ours !== undefined && ours === theirs;
}

function membersOf(body: string): string | undefined {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    return Object.keys(value).sort().join();
  } catch {
    return undefined;
  }
}
