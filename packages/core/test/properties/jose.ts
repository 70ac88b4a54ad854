// The same decision by jose. Why core is stricter is in reasons.ts.
import { createSecretKey } from 'node:crypto';
import {
  createLocalJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose';
import { type Config, NOW_S } from './configs.ts';
import { ISSUERS, keysOf } from './keys.ts';

const published = new Map(
  [ISSUERS.a, ISSUERS.b].map((issuer) => [
    issuer as string,
    createLocalJWKSet({ keys: keysOf(issuer) } as unknown as JSONWebKeySet),
  ]),
);
const secrets = keysOf(ISSUERS.secret).map(({ k, kid, alg }) => ({
  kid,
  alg,
  key: createSecretKey(Buffer.from(String(k), 'base64url')),
}));

/** Finds the keys of the issuer that the token names, as an application with many issuers does. */
const getKey: JWTVerifyGetKey = async (header, token) => {
  const { iss } = JSON.parse(Buffer.from(String(token.payload), 'base64url').toString());
  const find = published.get(iss);
  if (find !== undefined) return find(header, token);
  const secret = secrets.find(
    ({ kid, alg }) => alg === header.alg && (header.kid === undefined || kid === header.kid),
  );
  if (iss !== ISSUERS.secret || secret === undefined) throw new errors.JWKSNoMatchingKey();
  return secret.key;
};

/** True if jose accepts the token with these options. */
export async function joseAccepts(token: string, config: Config): Promise<boolean> {
  const { audience, skewS, maxAgeS, types, requireExp, iat } = config;
  const [typ] = types;
  const options: JWTVerifyOptions = {
    issuer: Object.values(ISSUERS),
    audience: [...audience],
    clockTolerance: skewS,
    currentDate: new Date(NOW_S * 1000),
    requiredClaims: [...(requireExp ? ['exp'] : []), ...(iat === 'nbf' ? ['iat'] : [])],
    ...(maxAgeS === undefined ? {} : { maxTokenAge: maxAgeS }),
    ...(typ === undefined ? {} : { typ }),
  };
  try {
    await jwtVerify(token, getKey, options);
    return true;
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) return false;
    for await (const key of error) {
      try {
        await jwtVerify(token, key, options);
        return true;
      } catch {
        // The next key may have signed it.
      }
    }
    return false;
  }
}
