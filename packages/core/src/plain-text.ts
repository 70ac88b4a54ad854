// Texts for operators: the cause of a failure in one line, without secrets, and text from outside
// without control characters.

/** The greatest length of the text of a cause. */
const MAX_CAUSE_LENGTH = 300;

/**
 * Says in one line why something failed: the error, and its causes. Texts of other libraries may
 * quote what they were given, so quoted texts, tokens, keys, and the credentials and queries of
 * URLs are left out.
 */
export function causeText(error: unknown): string {
  const texts = new Set<string>();
  const seen = new Set<unknown>();
  for (let one = error; one instanceof Error && !seen.has(one); one = nextCause(one)) {
    seen.add(one);
    // fetch says the same of every failure; its cause says what happened.
    if (one.message === 'fetch failed' && one.cause !== undefined) continue;
    const code = 'code' in one && typeof one.code === 'string' ? one.code : '';
    const message = concealed(one.message);
    const isSaid = code === '' || message.includes(code);
    const text = isSaid ? message : [code, message].filter((part) => part !== '').join(' ');
    texts.add(text === '' ? one.name : text);
  }
  return texts.size === 0 ? 'an unknown error' : plain([...texts].join(': ')).slice(0, MAX_CAUSE_LENGTH);
}

/** If all addresses of a host have failed, the first of them says how. */
function nextCause(error: Error): unknown {
  const errors: unknown = 'errors' in error ? error.errors : undefined;
  return error.cause ?? (Array.isArray(errors) ? errors[0] : undefined);
}

function concealed(text: string): string {
  return text
    .replace(/-----BEGIN.*/s, '…')
    .replace(/"[^"]*"/g, '"…"')
    .replace(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@]*@/gi, '$1')
    .replace(/\?[^\s'")]*/g, '')
    .replace(/eyJ[\w.-]*/g, '…')
    .replace(/[\w+=-]{40,}/g, '…')
    .replace(/\s+/g, ' ')
    .trim();
}

/**
 * Makes text safe for a terminal: control, format and bidirectional characters, line and paragraph
 * separators, private use characters and lone surrogates become `\u{…}`.
 */
export function plain(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Cn}\u2028\u2029]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}
