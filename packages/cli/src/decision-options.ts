// The shared parts of `explain` and `tokens verify`: the request, the route, and an authenticator
// that decides by the descriptor as a service would. Nothing is printed here.
import { readFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import {
  type Authenticator,
  type Clock,
  createAuthenticator,
  createDirectoryStore,
  loadDescriptor,
  type Rules,
  route,
} from '@latchkey/core';
import { type CompiledRules, compileRules, type RequestView } from '@latchkey/core/adapter';
import { type Command, Option } from 'commander';
import type { Context, FileOptions } from './context.ts';
import { misused } from './failure.ts';
import { openDescriptorFile } from './files.ts';

/** The options that determine the decision. */
export interface DecisionOptions extends FileOptions {
  readonly externalSecrets?: string | undefined;
  /** A route of the descriptor. */
  readonly route?: string | undefined;
  /** Rules as JSON. */
  readonly claims?: string | undefined;
  /** The time of the decision. */
  readonly at?: string | undefined;
}

/** The options of commands that decide. */
export function withDecisionOptions(to: Command): Command {
  return to
    .addOption(new Option('--route <name>', 'a route of the descriptor, whose rules must be satisfied too'))
    .addOption(new Option('--claims <json>', 'rules that must be satisfied too').conflicts('route'))
    .addOption(
      new Option('--at <time>', 'decide as at this time, such as 2026-01-31T12:00:00Z (default: now)'),
    )
    .addOption(new Option('--external-secrets <directory>', 'the directory of external secrets'));
}

/** What decides. */
interface OpenDecision {
  readonly authenticator: Authenticator;
  readonly rules: CompiledRules | undefined;
  /** The names of the routes of the descriptor. */
  readonly routes: readonly string[];
}

/**
 * Makes an authenticator from the descriptor, and the rules of the route. The caller closes it.
 * @param clock of its decisions, where the options have no time
 * @throws Failure, ConfigError
 */
export async function openDecision(
  context: Context,
  options: DecisionOptions,
  clock?: Clock,
): Promise<OpenDecision> {
  const { store } = await openDescriptorFile(context, options);
  const { options: loaded } = loadDescriptor({
    descriptor: context.pathOf(options.file),
    secrets: store,
    environment: context.terminal.env,
    ...(options.externalSecrets === undefined
      ? {}
      : { externalSecrets: createDirectoryStore(context.pathOf(options.externalSecrets)) }),
    ...(clock === undefined ? {} : { clock }),
    ...(options.at === undefined ? {} : { clock: clockAt(options.at) }),
  });
  const routes = Object.keys(loaded.routes ?? {});
  const rules = rulesOf(options, routes);
  return { authenticator: createAuthenticator(loaded), rules, routes };
}

/**
 * Reads the head of a request in the format of HTTP/1.1: a request line, and a line for each
 * header.
 * @throws Failure
 */
export async function readRequest({ terminal, pathOf }: Context, file: string): Promise<RequestView> {
  const text =
    file === '-' ? await readAll(terminal.stdin) : await readFile(pathOf(file), 'utf8').catch(() => '');
  // Accepts the output of `curl -v` too, and stops at the end of the head.
  const head = text.replaceAll(/^> ?/gm, '').split(/\r?\n\r?\n/)[0] ?? '';
  const [first = '', ...lines] = head.trimEnd().split(/\r?\n/);
  const [method, url, ...rest] = first.split(' ');
  if (method === undefined || url === undefined || rest.length > 1)
    throw misused(`${file} is not a request: expected GET /path HTTP/1.1, and a line for each header`);
  const rawHeaders = lines.flatMap((line) => {
    const found = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*$/.exec(line);
    if (found === null)
      throw misused(`${file} is not a request: expected a header on each line after the first`);
    return [found[1] ?? '', found[2] ?? ''];
  });
  // A file does not say how the request came.
  return { method, url, protocol: 'https', headers: headersOf(rawHeaders), rawHeaders };
}

/**
 * Combines raw headers as Node does: the first value of a header that may occur once, and all
 * cookies.
 */
function headersOf(raw: readonly string[]): RequestView['headers'] {
  const headers: Record<string, string> = {};
  for (let index = 0; index < raw.length; index += 2) {
    const name = (raw[index] ?? '').toLowerCase();
    const value = raw[index + 1] ?? '';
    if (name === 'cookie' && headers[name] !== undefined) headers[name] = `${headers[name]}; ${value}`;
    else headers[name] ??= value;
  }
  return headers;
}

function rulesOf(
  { route: name, claims }: DecisionOptions,
  names: readonly string[],
): CompiledRules | undefined {
  if (name !== undefined) {
    if (names.includes(name)) return route(name);
    throw misused(
      `the descriptor has no route ${name}${names.length === 0 ? '' : `; it has ${names.join(', ')}`}`,
    );
  }
  if (claims === undefined) return undefined;
  let rules: unknown;
  try {
    rules = JSON.parse(claims);
  } catch {
    throw misused('--claims is not JSON');
  }
  // compileRules refuses a wrong rule.
  return compileRules(rules as Rules);
}

function clockAt(time: string): { now(): number } {
  const nowMs = Date.parse(time);
  if (Number.isNaN(nowMs)) throw misused('--at: expected a time, such as 2026-01-31T12:00:00Z');
  return { now: () => nowMs };
}
