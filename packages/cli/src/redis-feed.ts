// Opens the list of revocations in Redis, with two packages that are not installed with the CLI.
import type { RedisRevocationFeed } from '@latchkey/redis';
import { misused } from './failure.ts';

/** Where the list is. */
export interface RedisPlace {
  /** Without a value of the flag: the variable. */
  readonly url: string | true;
  /** The key of the stream. Default: that of `createRevocationFeed`. */
  readonly key: string | undefined;
}

/** The variable with the URL: a password on a command line is seen by others. */
const VARIABLE = 'REDIS_URL';

/** Opens the list. Connects when something is published. */
export async function openRedisFeed(
  { url: given, key }: RedisPlace,
  environment: { readonly [name: string]: string | undefined },
): Promise<RedisRevocationFeed> {
  const url = given === true ? environment[VARIABLE] : given;
  if (url === undefined) throw misused(`--redis: expected a URL here, or in ${VARIABLE}`);
  if (!URL.canParse(url)) throw misused('--redis: expected a URL, such as rediss://redis.example.com');
  if (given !== true && new URL(url).password !== '')
    throw misused(
      `--redis: others can see a password on the command line; write the URL into ${VARIABLE}, and --redis without it`,
    );
  const { createRevocationFeed, createClient } = await packages();
  return createRevocationFeed(createClient({ url }), key === undefined ? {} : { key });
}

async function packages() {
  try {
    const [{ createRevocationFeed }, { createClient }] = await Promise.all([
      import('@latchkey/redis'),
      import('redis'),
    ]);
    return { createRevocationFeed, createClient };
  } catch {
    throw misused('--redis needs two packages; npm install @latchkey/redis redis');
  }
}
