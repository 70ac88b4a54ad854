// Reads which tools, resources and prompts a JSON-RPC body uses. It reads the members that the SDK
// reads, and decides nothing.

/** What rules are about. */
export type Kind = 'tools' | 'resources' | 'prompts';

/** The use of one tool, resource or prompt. */
export interface Operation {
  readonly kind: Kind;
  /** The name; of a resource, the URI. */
  readonly name: string;
}

type Members = { readonly [name: string]: unknown };

/** By method: the operations of a request; undefined if its parameters are malformed. */
const METHODS: ReadonlyMap<string, (params: Members) => readonly Operation[] | undefined> = new Map([
  ['tools/call', ({ name }) => named('tools', name)],
  ['prompts/get', ({ name }) => named('prompts', name)],
  ['resources/read', ({ uri }) => named('resources', uri)],
  ['resources/subscribe', ({ uri }) => named('resources', uri)],
  ['resources/unsubscribe', ({ uri }) => named('resources', uri)],
  ['completion/complete', ({ ref }) => completed(membersOf(ref))],
  ['subscriptions/listen', ({ notifications }) => listened(membersOf(notifications))],
]);

/**
 * Returns the operations of a parsed body: one message, or a batch of them. A method that is not
 * about a tool, a resource or a prompt, and an answer of the client, has none.
 * @returns undefined for a body that is not JSON-RPC, or that does not name what it uses
 */
export function operationsIn(body: unknown): readonly Operation[] | undefined {
  const found: Operation[] = [];
  for (const message of Array.isArray(body) ? body : [body]) {
    const operations = operationsOf(membersOf(message));
    if (operations === undefined) return undefined;
    found.push(...operations);
  }
  return found;
}

function operationsOf(message: Members): readonly Operation[] | undefined {
  const { method, params } = message;
  if (method === undefined) return 'result' in message || 'error' in message ? [] : undefined;
  if (typeof method !== 'string') return undefined;
  const read = METHODS.get(method);
  return read === undefined ? [] : read(membersOf(params));
}

function named(kind: Kind, name: unknown): readonly Operation[] | undefined {
  return typeof name === 'string' ? [{ kind, name }] : undefined;
}

/** The prompt, or the resource or its template, whose arguments are completed. */
function completed({ type, name, uri }: Members): readonly Operation[] | undefined {
  if (type === 'ref/prompt') return named('prompts', name);
  return type === 'ref/resource' ? named('resources', uri) : undefined;
}

function listened({ resourceSubscriptions = [] }: Members): readonly Operation[] | undefined {
  if (!Array.isArray(resourceSubscriptions)) return undefined;
  const all: readonly unknown[] = resourceSubscriptions;
  if (!all.every((uri) => typeof uri === 'string')) return undefined;
  return all.map((name) => ({ kind: 'resources', name }));
}

const NONE: Members = Object.freeze({});

function membersOf(value: unknown): Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : NONE;
}
