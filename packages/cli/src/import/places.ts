// Imports the places of a token.
import { type Draft, quoted } from './draft.ts';
import type { SourceNode } from './source.ts';

/** A place, as `tokenFrom` has it. */
export type TokenPlace = Readonly<Record<string, string | null>>;

/**
 * Makes the place of a token in a header, after a prefix.
 * @throws Failure for a prefix that is not a scheme and a space: a place that nothing can be read
 *   from would refuse every request, and any other place would read more
 */
export function headerPlace(header: string, prefix: SourceNode | undefined): TokenPlace {
  if (prefix === undefined || prefix.value === '') return { header, scheme: null };
  const scheme = prefix.text().trim();
  if (!/^[A-Za-z][!#$%&'*+.^_`|~0-9A-Za-z-]*$/.test(scheme) || !/^\S+ $|^Bearer$/.test(prefix.text()))
    prefix.refuse('expected a scheme and a space, such as "Bearer "; no other prefix can be read');
  return { header, scheme };
}

/** Adds places to a draft, and says what to know of them. */
export function putTokenPlaces(draft: Draft, places: readonly TokenPlace[], from: SourceNode): void {
  draft.set(['tokenFrom'], places, from);
  for (const [index, place] of places.entries()) {
    if (typeof place.cookie === 'string')
      draft.note(
        'safer',
        ['tokenFrom', index],
        from,
        `a request with the cookie ${quoted(place.cookie)} and an unsafe method must come from an origin of the service, or from one of allowedOrigins`,
      );
    if (typeof place.query === 'string')
      draft.note(
        'check',
        ['tokenFrom', index],
        from,
        'a token in the query appears in logs and histories; use a header instead',
      );
  }
}
