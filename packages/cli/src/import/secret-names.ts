// Makes names for secrets that the descriptor refers to and that the user must create.

/** Makes unique names. */
export function createSecretNames(): (hint: string) => string {
  const given = new Set<string>();
  return (hint) => {
    const base = slugOf(hint);
    let name = base;
    for (let number = 2; given.has(name); number++) name = `${base}-${number}`;
    given.add(name);
    return name;
  };
}

/** Returns the last meaningful part of a path or URL, in the characters of a secret name. */
export function slugOf(hint: string): string {
  const stem = hint.replace(/^[a-z]+:\/\//, '').replace(/\.(?:json|pem|key|pub)$/, '');
  const words = stem
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return words.slice(-60).replace(/^-+/, '') || 'imported';
}
