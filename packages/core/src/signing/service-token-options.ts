// Options of the tokens of calls to other services: a token in a file, or one that is exchanged for
// the caller. Which call gets which token is decided in service-fetch.ts.
import { resolve } from 'node:path';
import { ConfigError } from '../errors.ts';
import type { Exchange } from '../exchange/exchange.ts';
import { type ExchangeTarget, readTarget } from '../exchange/target.ts';
import type { Clock } from '../values/clock.ts';
import { kindOf } from '../values/kind.ts';
import { readList, readObject, readText } from '../values/readers.ts';
import type { ServiceTokenSettings } from './service-token-file.ts';

/** One service token, and the hosts that it is sent to. */
export interface ServiceTokenOptions {
  /**
   * Absolute path of the file: one compact JWS, with at most one line end after it, at most 16 KiB.
   */
  readonly file: string;
  /**
   * The required `aud` of the token; a token with another one is never sent. Null: `aud` is not
   * checked.
   */
  readonly audience: string | null;
  /**
   * The only hosts that the token is sent to: `friends.internal`, `friends.internal:8443`. Lower
   * case, with the port unless it is the default of the scheme. Subdomains and other ports are not
   * included. A host can be mapped to one token only.
   */
  readonly hosts: readonly string[];
  /**
   * The required `sub` of the token; a token with another one is never sent. Default: `sub` is not
   * checked.
   */
  readonly subject?: string;
}

/** A token for the caller of a request, and the hosts that it is sent to. */
export interface ExchangedServiceTokenOptions extends ExchangeTarget {
  /** Made by `createExchange`. It is not closed with the calls. */
  readonly exchange: Exchange;
  /** The only hosts that the token is sent to, as for a token in a file. */
  readonly hosts: readonly string[];
}

/** A token of calls, checked. */
export type ServiceTokenSource = { readonly hosts: readonly string[] } & (
  | { readonly file: ServiceTokenSettings }
  | { readonly exchange: Exchange; readonly target: ExchangeTarget }
);

const NAMES = ['file', 'audience', 'hosts', 'subject', 'exchange', 'resource', 'scope'] as const;

/** Checks the options of one token. @throws ConfigError */
export function readServiceToken(value: unknown, path: string, clock: Clock): ServiceTokenSource {
  const given = readObject(value, NAMES, path);
  const { file, audience, hosts, subject, exchange } = given;
  const isExchanged = exchange !== undefined;
  for (const name of isExchanged ? (['file', 'subject'] as const) : (['resource', 'scope'] as const))
    if (given[name] !== undefined)
      throw new ConfigError(
        `${path}.${name}`,
        `is not allowed ${isExchanged ? 'next to' : 'without'} exchange; remove it`,
      );
  if (isExchanged)
    return {
      exchange: readExchange(exchange, `${path}.exchange`),
      target: targetIn(given, path),
      hosts: readHosts(hosts, path),
    };
  if (audience === undefined)
    throw new ConfigError(`${path}.audience`, 'is required; pass null to turn the check of aud off');
  const settings = {
    name: path,
    file: resolve(readText(file, `${path}.file`)),
    audience: audience === null ? null : readText(audience, `${path}.audience`),
    subject: subject === undefined ? undefined : readText(subject, `${path}.subject`),
    clock,
  };
  return { file: settings, hosts: readHosts(hosts, path) };
}

function readExchange(value: unknown, path: string): Exchange {
  if (typeof value !== 'object' || value === null || !('tokenFor' in value))
    throw new ConfigError(path, `expected an exchange, got ${kindOf(value)}; make it with createExchange`);
  return value as Exchange;
}

/** The members of a target, which are checked here and read at each call. */
function targetIn(given: ReturnType<typeof readObject>, path: string): ExchangeTarget {
  const members = (['audience', 'resource', 'scope'] as const).filter((name) => given[name] !== undefined);
  const target = Object.fromEntries(members.map((name) => [name, given[name]]));
  readTarget(target, path);
  return Object.freeze(target);
}

const readHosts = (value: unknown, path: string) => readList(value, readHost, `${path}.hosts`);

function readHost(value: unknown, path: string): string {
  const text = readText(value, path);
  // A text that the URL parser changes, for either scheme, never occurs in a URL, and would map
  // nothing.
  const isPlain = ['https', 'http'].every(
    (scheme) => URL.canParse(`${scheme}://${text}`) && new URL(`${scheme}://${text}`).host === text,
  );
  if (!isPlain || text.includes('*')) {
    throw new ConfigError(
      path,
      'expected a host in lower case, like friends.internal, :port if needed and neither 80 nor 443',
    );
  }
  return text;
}
