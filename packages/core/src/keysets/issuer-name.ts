// The issuer of a keyset as it is written: the exact `iss` of its tokens, and for discovery a URL.
import { ConfigError } from '../errors.ts';
import { type Kind, refined, text } from '../values/option.ts';

/** White space, and characters that cannot be seen. */
const ODD = /[\s\p{Cc}\p{Cf}]/u;

/** The name of an issuer. */
export const issuerName: Kind<string> = refined(text, (name, path) => {
  if (ODD.test(name))
    throw new ConfigError(
      path,
      'expected the iss of the tokens, got a string with white space or invisible characters; remove them',
    );
  return name;
});

/** The URL of metadata: what comes before the well-known path, and what comes after it. */
const METADATA = /^(.*?)\/\.well-known\/[^/]*(\/.*)?$/su;

/** Refuses the URL of an issuer's metadata, which no token has as `iss`. @throws ConfigError */
export function refuseMetadata(issuer: string, path: string): void {
  const [, start, tenant = ''] = METADATA.exec(issuer) ?? [];
  if (start === undefined) return;
  const itself = `${start}${tenant}`;
  throw new ConfigError(
    path,
    `expected the issuer, got the URL of its metadata; write '${itself}' or '${itself}/', as the metadata spell it`,
  );
}

/** The URL of an issuer whose metadata are read. @throws ConfigError */
export function issuerUrl(issuer: string, path: string): URL {
  if (URL.canParse(issuer)) return new URL(issuer);
  const isHost = /^[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?(?:\/\S*)?$/i.test(issuer);
  const like = isHost ? `https://${issuer}${issuer.includes('/') ? '' : '/'}` : 'https://tenant.auth0.com/';
  throw new ConfigError(path, `expected a URL, like '${like}', got a string without https://`);
}
