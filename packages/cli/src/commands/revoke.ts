// `latchkey revoke`: ends tokens before they expire, for services that follow the same file. Core
// decides what a revocation is.
import {
  ConfigError,
  loadDescriptor,
  type Revocation,
  type RevocationFeed,
  type StoredRevocation,
} from '@latchkey/core';
import { completeRevocation, openRevocationFile, readUnverifiedToken } from '@latchkey/core/tools';
import { type Command, Option } from 'commander';
import { type Context, command, type FormatOptions, withFormat } from '../context.ts';
import { Failure, misused, refused, unreachable } from '../failure.ts';
import { plain } from '../output.ts';
import { openRedisFeed } from '../redis-feed.ts';
import { readToken } from '../token-input.ts';

interface RevokeOptions extends FormatOptions {
  readonly file?: string;
  readonly descriptor?: string;
  readonly redis?: string | true;
  readonly redisKey?: string;
  readonly issuer?: string;
  readonly jti?: string;
  readonly sid?: string;
  readonly sub?: string;
  readonly client?: string;
  readonly tokenFrom?: '-';
  readonly issuedBefore?: string;
  readonly until?: string;
  readonly for?: string;
}

/** Where a revocation is written, and how long it is remembered by default. */
interface Target {
  readonly feed: RevocationFeed & { close?(): Promise<void> };
  readonly remember?: string | undefined;
}

/** The flags of one kind of tokens each. Without them, all tokens of the issuer are revoked. */
const KINDS = ['jti', 'sid', 'sub', 'client'] as const;
const TIME = 'a time, such as 2026-01-31T12:00:00Z';

/** Makes `revoke`. */
export function revoke(context: Context): Command {
  const made = command(
    'revoke',
    'End tokens before they expire: one, or those of a session, a subject, a client or an issuer.',
    [
      'latchkey revoke --descriptor service.yaml --issuer https://login.example.com --sub alice',
      'latchkey revoke --file revocations.jsonl --token-from - < token.txt',
      'latchkey revoke --redis --issuer https://login.example.com --client orders',
      'latchkey revoke --file revocations.jsonl --issuer https://login.example.com --jti b7c1 --for 1h',
    ],
  );
  const others = (name: string) => KINDS.filter((kind) => kind !== name);
  return withFormat(made)
    .addOption(new Option('--file <path>', 'the file of revocations, which must exist'))
    .addOption(
      new Option('--descriptor <path>', 'take the file, and remember, from a descriptor').conflicts('file'),
    )
    .addOption(
      new Option('--redis [url]', 'the list of @latchkey/redis; without a URL: that of REDIS_URL').conflicts([
        'file',
        'descriptor',
      ]),
    )
    .addOption(new Option('--redis-key <key>', 'the key of its stream (default: latchkey:revocations)'))
    .addOption(new Option('--issuer <issuer>', 'the iss of the tokens, character by character'))
    .addOption(new Option('--jti <id>', 'one token').conflicts(others('jti')))
    .addOption(new Option('--sid <id>', 'the tokens of a session').conflicts(others('sid')))
    .addOption(new Option('--sub <id>', 'the tokens of a subject').conflicts(others('sub')))
    .addOption(new Option('--client <id>', 'the tokens of a client').conflicts(others('client')))
    .addOption(
      new Option('--token-from <input>', 'the token whose iss, jti and exp are taken, UNVERIFIED: - is stdin')
        .choices(['-'])
        .conflicts([...KINDS, 'issuer', 'issuedBefore']),
    )
    .addOption(
      new Option('--issued-before <time>', `${TIME}: later tokens are not revoked (default: now)`).conflicts([
        'jti',
        'sid',
      ]),
    )
    .addOption(new Option('--until <time>', `${TIME}: when the last of the tokens expires`))
    .addOption(
      new Option('--for <duration>', 'how long it is remembered instead (default: 24h)').conflicts('until'),
    )
    .action((options: RevokeOptions) => run(context, options));
}

async function run(context: Context, options: RevokeOptions): Promise<void> {
  const { feed, remember } = await targetOf(context, options);
  const stored = await complete(context, options, options.for ?? remember);
  try {
    await context.output.waitFor('revoking', feed.publish(stored));
  } catch (error) {
    const why = plain(error instanceof Error ? error.message : 'an unknown error');
    const fix = why.includes('ENOENT') ? '; an empty file is an empty list' : '';
    throw unreachable(`${plain(feed.description)}: ${why}${fix}`);
  } finally {
    await feed.close?.();
  }
  const { issuer, until, issuedBefore } = stored;
  const kind = KINDS.find((name) => stored[name] !== undefined) ?? 'issuer';
  const times = { ...(issuedBefore !== undefined && { issuedBefore: iso(issuedBefore) }), until: iso(until) };
  context.output.result(
    options.output,
    () =>
      `revoked by ${kind}, of ${issuer === '' ? 'tokens without iss' : plain(issuer)}; until ${times.until}`,
    { revoked: kind, issuer, ...times, in: feed.description },
  );
}

async function targetOf(
  { pathOf, terminal }: Context,
  { file, descriptor, redis: url, redisKey: key }: RevokeOptions,
): Promise<Target> {
  if (url !== undefined) return { feed: await openRedisFeed({ url, key }, terminal.env) };
  if (key !== undefined) throw misused('--redis-key is only for --redis; add it');
  if (file !== undefined) return { feed: openRevocationFile(pathOf(file)) };
  if (descriptor === undefined)
    throw misused('expected --file with a list of revocations, --descriptor or --redis');
  const { revocation } = loadDescriptor({
    descriptor: pathOf(descriptor),
    environment: terminal.env,
  }).options;
  if (revocation?.file === undefined)
    throw misused(`${plain(descriptor)} has no revocation.file; add it, or give --file`);
  return { feed: openRevocationFile(revocation.file), remember: revocation.remember };
}

/** Says what is wrong in the words of the command line. */
async function complete(
  context: Context,
  options: RevokeOptions,
  remember: string | undefined,
): Promise<StoredRevocation> {
  const given = options.tokenFrom === undefined ? fromFlags(options) : await fromToken(context, options);
  try {
    return remember === undefined ? completeRevocation(given) : completeRevocation(given, remember);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const name = error.path.replace('revocation.', '').replace('remember', 'for');
    if (name === 'until' && options.tokenFrom !== undefined)
      throw refused('the token has expired, so there is nothing to revoke');
    throw misused(`--${name.replace('issuedBefore', 'issued-before')}: ${error.problem}`);
  }
}

function fromFlags({ issuer, issuedBefore, until, ...others }: RevokeOptions): Revocation {
  if (issuer === undefined)
    throw misused("expected --issuer, or --token-from -; --issuer '' means tokens without iss");
  return {
    issuer,
    ...Object.fromEntries(
      KINDS.flatMap((kind) => (others[kind] === undefined ? [] : [[kind, others[kind]]])),
    ),
    ...(issuedBefore !== undefined && { issuedBefore: timeOf(issuedBefore, '--issued-before') }),
    ...(until !== undefined && { until: timeOf(until, '--until') }),
  };
}

/** Takes nothing but what names the token, and never shows it. */
async function fromToken(context: Context, { until, for: lasting }: RevokeOptions): Promise<Revocation> {
  const { claims } = readUnverifiedToken(await readToken(context, undefined));
  const { iss = '', jti, exp } = claims;
  if (typeof iss !== 'string' || typeof jti !== 'string')
    throw new Failure(1, 'the token has no jti to revoke it by; revoke its --sub or its --sid');
  const isTimed = until === undefined && lasting === undefined && typeof exp === 'number';
  return {
    issuer: iss,
    jti,
    ...(isTimed && { until: exp * 1000 }),
    ...(until !== undefined && { until: timeOf(until, '--until') }),
  };
}

/** A time without a zone would be one of the machine. */
function timeOf(text: string, flag: string): number {
  const time = /^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) throw misused(`${flag}: expected ${TIME}`);
  return time;
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
