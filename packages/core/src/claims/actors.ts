// The actors that a route accepts: who may act for the subject of a token (RFC 8693 §4.1). Only the
// current actor counts.
import { ConfigError } from '../errors.ts';
import { type Judge, listed, nameOf } from '../values/judge.ts';
import { kindOf } from '../values/kind.ts';
import { type Kind, needed, object, shared, text } from '../values/option.ts';
import { isPlainObject, readList, readObject, readText } from '../values/readers.ts';
import type { Actor } from './actor.ts';
import { compileName, type IssuerRule, nameSchemas } from './issuers.ts';

/**
 * One accepted actor: by its subject, which the issuer of the token has named; by its subject and
 * the issuer that has named it; or `false`, for a token without an actor.
 */
export type ActorRule = IssuerRule | { readonly subject: IssuerRule; readonly issuer: string } | false;

/**
 * True for an accepted actor.
 * @param issuer the issuer of the token
 */
export type ActorMatcher = (actor: Actor | undefined, issuer: string | undefined) => boolean;

function compileActors(value: unknown, path: string): ActorMatcher {
  if (value === false) return compileActor(value, path);
  if (!Array.isArray(value))
    throw new ConfigError(
      path,
      `expected a list of actors, or false for tokens without an actor, got ${kindOf(value)}`,
    );
  const matchers = readList(value, compileActor, path);
  return (actor, issuer) => matchers.some((matches) => matches(actor, issuer));
}

function compileActor(value: unknown, path: string): ActorMatcher {
  if (value === false) return (actor) => actor === undefined;
  if (isPlainObject(value) && !Object.hasOwn(value, 'subject') && !Object.hasOwn(value, 'pattern'))
    throw new ConfigError(path, "expected an actor: its subject, like 'gateway', or { subject, issuer }");
  if (!isPlainObject(value) || !Object.hasOwn(value, 'subject')) {
    const isNamed = compileName(value, path, 'an actor, { subject, issuer }, false');
    // A subject alone is a name that the issuer of the token has given.
    return (actor, issuer) =>
      actor !== undefined && (actor.issuer ?? issuer) === issuer && isNamed(actor.subject);
  }
  const { subject, issuer: named } = readObject(value, ['subject', 'issuer'], path);
  if (named === undefined)
    throw new ConfigError(
      `${path}.issuer`,
      'is required next to subject; for an actor that the issuer of the token has named, write its subject alone',
    );
  const isNamed = compileName(subject, `${path}.subject`, 'a subject');
  const expected = readText(named, `${path}.issuer`);
  return (actor, issuer) =>
    actor !== undefined && (actor.issuer ?? issuer) === expected && isNamed(actor.subject);
}

const NO_ACTOR = { description: 'A token without an actor: the subject acts itself.', const: false };
const SUBJECTS = nameSchemas('The subject of an actor.', 'All actors whose whole subject matches.');

/** A list of actors, or false. */
export const actors: Kind<ActorMatcher> = {
  read: compileActors,
  schema: shared('actors', {
    description: 'The only accepted actors (act). false: only tokens without an actor.',
    anyOf: [
      NO_ACTOR,
      {
        type: 'array',
        minItems: 1,
        items: {
          anyOf: [
            NO_ACTOR,
            ...SUBJECTS,
            {
              ...object({
                subject: needed({ read: (subject) => subject, schema: { anyOf: SUBJECTS } }, 'The actor.'),
                issuer: needed(text, 'The issuer that has named the actor.'),
              }).schema,
              description: 'An actor that another issuer than that of the token has named.',
            },
          ],
        },
      },
    ],
  }),
};

/** Judges a change of a list of actors. */
export const actorsJudge: Judge = listed({ more: 'opens', given: 'closes', thing: 'actor', name: actorName });

function actorName(rule: unknown): string {
  if (rule === false) return 'none';
  if (!isPlainObject(rule) || rule.subject === undefined) return nameOf(rule);
  return `${nameOf(rule.subject)} of ${nameOf(rule.issuer)}`;
}
