// What the page asks for: the state of the keysets, and the explanation of a token. Core decides.
import { type Authenticator, type Explanation, isAuthError, type KeysetReport, route } from '@latchkey/core';
import { readUnverifiedToken, type UnverifiedTokenText } from '@latchkey/core/tools';
import type { AskedClock } from './clock.ts';
import type { InspectedService } from './service.ts';

/** What is inspected. */
export interface Inspected {
  /** Its clock is `clock`. */
  readonly authenticator: Authenticator;
  readonly clock: AskedClock;
  /** The names of the routes of the descriptor. */
  readonly routes: readonly string[];
  /** The descriptor, for the title of the page. */
  readonly file: string;
  /** A running service. Default: none, and the page shows no decisions. */
  readonly service?: InspectedService | undefined;
}

/** The state that the page shows. */
export interface InspectedState {
  readonly file: string;
  readonly routes: readonly string[];
  readonly keysets: readonly KeysetReport[];
  /** The URL of the running service. */
  readonly service: string | undefined;
}

/** The answer about a token. */
export interface InspectedToken {
  readonly explanation: Explanation;
  /** Undefined for a token that cannot be read. */
  readonly content: UnverifiedTokenText | undefined;
}

/** Returns the state. */
export function stateOf({ authenticator, routes, file, service }: Inspected): InspectedState {
  return { file, routes, keysets: authenticator.report().keysets, service: service?.name };
}

/** Explains a token. @returns undefined for a question that the page does not ask */
export async function explained(
  { authenticator, clock, routes }: Inspected,
  question: unknown,
): Promise<InspectedToken | undefined> {
  const { token, route: name, at }: { readonly [member: string]: unknown } = Object(question);
  if (typeof token !== 'string') return undefined;
  if (name !== undefined && !routes.some((known) => known === name)) return undefined;
  if (at !== undefined && (typeof at !== 'number' || !Number.isFinite(at))) return undefined;
  // Texts are pasted with the header around them, and with line ends.
  const bare = token.trim().replace(/^(?:authorization:\s*)?(?:bearer|dpop)\s+/i, '');
  const asked = name === undefined ? ([] as const) : ([route(String(name))] as const);
  const explanation = await clock.during(at, () => authenticator.explain(bare, ...asked));
  return { explanation, content: contentOf(bare) };
}

function contentOf(token: string): UnverifiedTokenText | undefined {
  try {
    return readUnverifiedToken(token);
  } catch (error) {
    if (isAuthError(error)) return undefined;
    throw error;
  }
}
