// Who is whose friend, and the tokens that say so: object capabilities, one token per friend.
import type { Principal } from '@latchkey/core';
import {
  type Capability,
  type CapabilityVerifier,
  createCapabilityIssuer,
  createCapabilityVerifier,
} from '@latchkey/core/signing';
import type { OwnKeys } from './keys.ts';

/**
 * Whoever has such a token may write to its subject, if they are whom it was minted for: the caller
 * that `friendOf` names.
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

/** A friend, and the token with which the caller may write to them. */
export interface Friend {
  readonly name: string;
  readonly friendToken: string;
}

/** What the service does with friendships. */
export interface Friends {
  /** The friends of a caller, each with a token for them alone. */
  of(caller: Principal): Promise<readonly Friend[]>;
  /** The names of a user's friends: for services, which ask about anybody. */
  namesOf(user: string): readonly string[];
  /** Whom this caller may write to by this token. */
  readonly verify: CapabilityVerifier['verify'];
}

/** Makes both sides of the capability: this service mints it, and requires it. */
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
