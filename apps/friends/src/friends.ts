// Friends and friend tokens: object capabilities, one token per friend. Messages are in
// messages.ts.
import type { Principal } from '@latchkey/core';
import {
  type Capability,
  type CapabilityVerifier,
  createCapabilityIssuer,
  createCapabilityVerifier,
} from '@latchkey/core/signing';
import type { OwnKeys } from './keys.ts';

/**
 * A friend token allows one caller to write to the token's subject. `friendOf` names that caller,
 * so the token works for no other one.
 */
const FRIENDSHIP: Capability = {
  typ: 'friend+jwt',
  issuer: 'urn:friends-and-messages:friends',
  audience: 'urn:friends-and-messages:messages',
  relation: { friendOf: 'sub' },
};

const friendships: ReadonlyMap<string | undefined, readonly string[]> = new Map([
  ['alice', ['bob', 'carol']],
  ['bob', ['alice']],
  ['john', ['alice']],
]);

/** A friend, and the token that allows the caller to write to that friend. */
export interface Friend {
  readonly name: string;
  readonly friendToken: string;
}

/** The friends part of the service. */
export interface Friends {
  /** The friends of a caller, each with its own friend token. */
  of(caller: Principal): Promise<readonly Friend[]>;
  /** The names of a user's friends. For services, which may ask about every user. */
  namesOf(user: string): readonly string[];
  /** Verifies a friend token: its subject is the friend that this caller may write to. */
  readonly verify: CapabilityVerifier['verify'];
}

/** Creates the friends part. It both issues and verifies friend tokens. */
export function createFriends({ secrets, secret, alg }: OwnKeys): Friends {
  const { issue } = createCapabilityIssuer(FRIENDSHIP, { secret, secrets, alg });
  const { verify } = createCapabilityVerifier(FRIENDSHIP, { keySet: { secret }, secrets });
  return {
    of: (caller) =>
      Promise.all(
        (friendships.get(caller.subject) ?? []).map(async (name) => ({
          name,
          friendToken: await issue(caller, { sub: name }),
        })),
      ),
    namesOf: (user) => friendships.get(user) ?? [],
    verify,
  };
}
