// Hides from the lists of a server what their reader may not use. It is between the server and its
// transport, where both versions of the SDK have the same form.
import { readBoolean, readObject } from '@latchkey/core/adapter';
import { type Caller, principalOf, type SdkAuthInfo } from './auth-info.ts';
import type { ScopeChallenge } from './challenge.ts';
import type { Kind } from './operations.ts';

/** `McpServer` or `Server` of both versions of the SDK. */
export interface ListingServer {
  connect(transport: never): Promise<void>;
}

/** What is kept in lists. */
export interface FilterOptions {
  /**
   * Also lists what a caller lacks only scopes for: its client can then call it, gets the
   * challenge, and asks for the scopes. Default false.
   */
  readonly stepUp?: boolean;
}

type Members = { readonly [name: string]: unknown };

/** The part of a transport that is used here. */
interface Transport {
  onmessage?: ((message: Members, extra?: { readonly authInfo?: SdkAuthInfo }) => void) | undefined;
  send(message: Members, ...more: readonly unknown[]): Promise<void>;
}

/** By list method: the member of its results that is the list, and what names an item. */
const LISTS: ReadonlyMap<unknown, { readonly kind: Kind; readonly member: string; readonly name: string }> =
  new Map([
    ['tools/list', { kind: 'tools', member: 'tools', name: 'name' }],
    ['prompts/list', { kind: 'prompts', member: 'prompts', name: 'name' }],
    ['resources/list', { kind: 'resources', member: 'resources', name: 'uri' }],
    ['resources/templates/list', { kind: 'resources', member: 'resourceTemplates', name: 'uriTemplate' }],
  ]);

/**
 * Lets `tools/list`, `prompts/list`, `resources/list` and `resources/templates/list` of a server
 * list only what the caller of the list may use. Call it before `server.connect`. A hidden tool is
 * not called by a client, so that it never asks for the scopes of the tool: see `stepUp`. It hides,
 * and refuses nothing: `scopeChallenge` does. Rules with `fromRequest` hide what they are for.
 * @returns the server
 * @throws ConfigError for wrong options, at once
 * @example
 * ```ts
 * filterLists(server, scopeChallenge({ tools: { wipe: { roles: ['admin'] } } }));
 * await server.connect(transport);
 * ```
 */
export function filterLists<S extends ListingServer>(
  server: S,
  challenge: Pick<ScopeChallenge, 'permits'>,
  options: FilterOptions = {},
): S {
  const given = readObject(options, ['stepUp'], 'filterLists');
  const stepUp = readBoolean(given.stepUp, false, 'filterLists.stepUp');
  const connect = server.connect.bind(server);
  server.connect = async (transport: never) => {
    await connect(transport);
    filterTransport(transport, (caller, kind, name) => challenge.permits(caller, { kind, name }, { stepUp }));
  };
  return server;
}

type Shows = (caller: Caller | undefined, kind: Kind, name: string) => boolean;

/** A list that was asked for, and has not been answered. */
interface Asked {
  readonly method: unknown;
  readonly caller: Caller | undefined;
}

/** Filters the answers of a transport that a server has been connected to. */
function filterTransport(transport: Transport, shows: Shows): void {
  // Several for one id, if a client uses it again too early: each answer suits all of them.
  const asked = new Map<unknown, readonly Asked[]>();
  const { onmessage } = transport;
  const send = transport.send.bind(transport);
  transport.onmessage = (message, extra) => {
    const { id, method } = message;
    if (id !== undefined && LISTS.has(method))
      asked.set(id, [...(asked.get(id) ?? []), { method, caller: principalOf(extra?.authInfo) }]);
    onmessage?.call(transport, message, extra);
  };
  transport.send = (message, ...more) => {
    const lists = message.method === undefined ? asked.get(message.id) : undefined;
    if (lists === undefined) return send(message, ...more);
    if (lists.length === 1) asked.delete(message.id);
    else asked.set(message.id, lists.slice(1));
    return send(filtered(message, lists, shows), ...more);
  };
}

function filtered(message: Members, lists: readonly Asked[], shows: Shows): Members {
  const { result } = message;
  if (typeof result !== 'object' || result === null) return message;
  const changed: { [name: string]: unknown } = { ...result };
  for (const { method, caller } of lists) {
    const list = LISTS.get(method);
    const items = list && changed[list.member];
    if (list === undefined || !Array.isArray(items)) continue;
    changed[list.member] = items.filter((item: unknown) =>
      shows(caller, list.kind, String(Reflect.get(Object(item), list.name))),
    );
  }
  // A cache that several callers share must not keep the list of one.
  if (changed.cacheScope !== undefined) changed.cacheScope = 'private';
  return { ...message, result: changed };
}
