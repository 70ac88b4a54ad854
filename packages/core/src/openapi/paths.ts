// Paths of frameworks as path templates of OpenAPI, and which of them are the same. No path of a
// request is matched here.

/**
 * The templates of a path: several if a part of it is optional; none if OpenAPI cannot say it, such
 * as a regular expression.
 */
export function templatesOf(path: string): readonly string[] {
  const found = expand(path);
  return found.every((one) => /^\/[^()[\]^$|\\?+]*$/.test(one.replace(/\{[^{}]*\}/g, '')))
    ? [...new Set(found.map(tidy))]
    : [];
}

/** Equal for templates that differ only in the names of parameters. */
export function keyOfTemplate(template: string): string {
  return tidy(template.replace(/\{[^{}]*\}/g, '{}'));
}

/** The names of the parameters. */
export function parametersIn(template: string): readonly string[] {
  return [...template.matchAll(/\{([^{}]*)\}/g)].map(([, name = '']) => name);
}

function tidy(template: string): string {
  return template.length > 1 && template.endsWith('/') ? template.slice(0, -1) : template;
}

/** Reads from the left; what follows an optional part is read with and without it. */
function expand(path: string): readonly string[] {
  const [, text = '', sign = ''] = /^([^:*{]*)(::|[:*{]?)/.exec(path) ?? [];
  const rest = path.slice(text.length + sign.length);
  if (sign === '') return [text];
  if (sign === '::') return prefixed(`${text}:`, expand(rest));
  if (sign === '{') return expandBraces(text, rest);
  const [, name = ''] = /^(\w*)/.exec(rest) ?? [];
  const after = rest.slice(name.length);
  if (sign === '*') return prefixed(`${text}{${name === '' ? 'wildcard' : name}}`, expand(after));
  const pattern = patternAt(after);
  const end = after.slice(pattern.length);
  const isOptional = end.startsWith('?');
  const tail = expand(isOptional ? end.slice(1) : end);
  const present = prefixed(`${text}{${name}}`, tail);
  return isOptional ? [...prefixed(text.replace(/\/$/, ''), tail), ...present] : present;
}

/** `{name}` is a parameter already; `{/:name}` is an optional part, as Express 5 writes it. */
function expandBraces(text: string, rest: string): readonly string[] {
  const inside = rest.slice(0, balanced(`{${rest}`, '{', '}') - 2);
  const tail = rest.slice(inside.length + 1);
  if (/^[\w*.-]+$/.test(inside)) return prefixed(`${text}{${inside}}`, expand(tail));
  return [...expand(`${text}${tail}`), ...expand(`${text}${inside}${tail}`)];
}

/** The pattern after the name of a parameter: `(\d+)`, or `{[0-9]+}` as Hono writes it. */
function patternAt(after: string): string {
  if (after.startsWith('(')) return after.slice(0, balanced(after, '(', ')'));
  const end = after.startsWith('{') ? balanced(after, '{', '}') : 0;
  const isGroup = /[:/]/.test(after.slice(0, end));
  return isGroup ? '' : after.slice(0, end);
}

/** The length of a text in brackets; that of the whole text if no bracket ends it. */
function balanced(text: string, open: string, close: string): number {
  let level = 0;
  for (const [index, sign] of [...text].entries()) {
    if (sign === open) level++;
    if (sign === close && --level === 0) return index + 1;
  }
  return text.length;
}

function prefixed(text: string, all: readonly string[]): readonly string[] {
  return all.map((one) => `${text}${one}`);
}
