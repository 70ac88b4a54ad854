// Reads Envoy's requirements: which providers may vouch for a request, and whether a token may be
// missing. A request has one token here, so that providers can be alternatives, and no more.
import type { Draft } from './draft.ts';
import { oneField } from './fields.ts';
import type { SourceNode } from './source.ts';

/** One provider that may vouch for a request. */
export interface Use {
  readonly provider: string;
  /** Those of the requirement. Undefined: those of the provider. */
  readonly audiences: readonly string[] | undefined;
}

/** What a request needs. */
export interface Requirement {
  /** The alternatives. Empty: any provider, or, if `mode` is undefined, no token at all. */
  readonly uses: readonly Use[];
  /** Undefined: the gateway does not look at tokens. */
  readonly mode: 'strict' | 'optional' | 'permissive' | undefined;
}

const FORMS = [
  'provider_name',
  'provider_and_audiences',
  'requires_any',
  'requires_all',
  'allow_missing_or_failed',
  'allow_missing',
] as const;
const OPEN: Requirement = { uses: [], mode: undefined };
const LAXITY = ['strict', 'optional', 'permissive', undefined] as const;

/**
 * Reads a requirement.
 * @param isProvider true for the name of a provider
 * @throws Failure with the place
 */
export function readRequirement(
  draft: Draft,
  node: SourceNode,
  isProvider: (name: string) => boolean,
): Requirement {
  const [form, inside] = oneField(node, FORMS) ?? [];
  for (const [, left] of node.left()) left.refuse('is an unknown requirement');
  if (form === undefined || inside === undefined) return OPEN;
  const providerOf = (at: SourceNode | undefined): string => {
    const name = (at ?? inside.refuse('expected provider_name')).text();
    return isProvider(name) ? name : (at ?? inside).refuse('is not a provider of this filter');
  };
  const alternatives = () =>
    (inside.member('requirements') ?? inside.refuse('expected requirements'))
      .items()
      .map((item) => readRequirement(draft, item, isProvider));
  switch (form) {
    case 'provider_name':
      return { uses: [{ provider: providerOf(inside), audiences: undefined }], mode: 'strict' };
    case 'provider_and_audiences': {
      const audiences = inside.member('audiences')?.texts() ?? [];
      const provider = providerOf(inside.oneOf('provider_name', 'providerName'));
      return {
        uses: [{ provider, audiences: audiences.length === 0 ? undefined : audiences }],
        mode: 'strict',
      };
    }
    case 'requires_any':
      return anyOf(alternatives());
    case 'requires_all':
      return allOf(draft, inside, alternatives());
    case 'allow_missing_or_failed':
      return { uses: [], mode: 'permissive' };
    case 'allow_missing':
      return { uses: [], mode: 'optional' };
  }
}

/** The most lenient alternative decides about a request without a good token. */
function anyOf(alternatives: readonly Requirement[]): Requirement {
  if (alternatives.length === 0) return OPEN;
  return {
    uses: alternatives.flatMap(({ uses }) => uses),
    mode: LAXITY[Math.max(...alternatives.map(laxityOf))],
  };
}

function allOf(draft: Draft, node: SourceNode, parts: readonly Requirement[]): Requirement {
  const [strictest, ...others] = parts.toSorted((one, other) => laxityOf(one) - laxityOf(other));
  if (strictest === undefined) return OPEN;
  // Neither a missing nor a wrong token fails the lenient parts, and one token passes equal parts.
  const restricts = ({ uses, mode }: Requirement) =>
    (mode === 'strict' || mode === 'optional') && JSON.stringify(uses) !== JSON.stringify(strictest.uses);
  if (others.some(restricts))
    draft.note(
      'no-equivalent',
      [],
      node,
      'this was a restriction: the gateway required several tokens in one request, and here a request has one; only the first of the strictest parts is imported, check the others in a handler',
    );
  return strictest;
}

function laxityOf({ mode }: Requirement): number {
  return LAXITY.indexOf(mode);
}
