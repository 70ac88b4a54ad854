// Turns Envoy's matcher of a string into a rule that accepts the same strings.
import { quoted } from './draft.ts';
import { field, oneField } from './fields.ts';
import type { SourceNode } from './source.ts';

const FORMS = ['exact', 'prefix', 'suffix', 'contains', 'safe_regex', 'custom'] as const;

/** Returns the rule for a matcher. @throws Failure with the place */
export function ruleOfMatcher(matcher: SourceNode): unknown {
  const [form, node] = oneField(matcher, FORMS) ?? matcher.refuse(`expected one of ${FORMS.join(', ')}`);
  const ignoresCase = field(matcher, 'ignore_case')?.boolean() === true;
  for (const [name, left] of matcher.left())
    left.refuse(`${quoted(name)} is an unknown condition; a rule cannot express it`);
  if (form === 'custom') return node.refuse('is an extension; no rule can express it');
  if (form === 'safe_regex') {
    // The engine is RE2 and the whole value must match, as here.
    field(node, 'google_re2');
    return { pattern: (node.member('regex') ?? node.refuse('expected regex')).text() };
  }
  const text = node.text();
  if (form === 'exact' && !ignoresCase) return { anyOf: [text] };
  const literal = literalPattern(text, ignoresCase);
  switch (form) {
    case 'exact':
      return { pattern: literal };
    case 'prefix':
      return { pattern: `^${literal}`, match: 'search' };
    case 'suffix':
      return { pattern: `${literal}$`, match: 'search' };
    case 'contains':
      return { pattern: literal, match: 'search' };
  }
}

/** Only ASCII letters are compared without case, as in the gateway. */
function literalPattern(text: string, ignoresCase: boolean): string {
  const escaped = text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  return ignoresCase
    ? escaped.replace(/[A-Za-z]/g, (letter) => `[${letter.toLowerCase()}${letter.toUpperCase()}]`)
    : escaped;
}
