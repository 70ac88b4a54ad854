// Attacks by the algorithm in the header: none, unknown ones, another one than that of the key.
import { createHmac } from 'node:crypto';
import type { JsonValue } from '@latchkey/core';
import { forge, signParts } from '../../mint.ts';
import type { Attack, AttackId } from '../attack.ts';
import { rsaKey, signingKey } from '../attack.ts';
import type { Bench } from '../bench.ts';

const NO_SIGNATURE =
  'Every caller can write such a token. Verify with the algorithms of your keys only, and let the token choose none.';

/** Without a signature, with this algorithm. */
const unsigned = ({ good }: Bench, alg: JsonValue | undefined) =>
  forge({ header: { ...good.header, alg }, payload: good.claims });

const OTHERS: Readonly<Record<string, readonly string[]>> = {
  RS256: ['RS512', 'PS256'],
  RS384: ['RS512', 'PS384'],
  RS512: ['RS256', 'PS512'],
  PS256: ['PS512', 'RS256'],
  PS384: ['PS512', 'RS384'],
  PS512: ['PS256', 'RS512'],
};

/** Secrets that are known to all, from tutorials and from programs that convert a missing value. */
const KNOWN_SECRETS = ['', 'secret', 'changeme', 'your-256-bit-secret', 'undefined', 'null', '0'];

const none = (name: string, title: string, write: (bench: Bench) => readonly string[]): Attack => ({
  id: `T-016/${name}` satisfies AttackId,
  title,
  advice: NO_SIGNATURE,
  forge: write,
});

export const ALGORITHM_ATTACKS: readonly Attack[] = [
  none('none', 'alg "none", with an empty signature', (bench) => [unsigned(bench, 'none')]),
  none('none-case', 'alg "None", "NONE" and "nOnE", with an empty signature', (bench) =>
    ['None', 'NONE', 'nOnE'].map((alg) => unsigned(bench, alg)),
  ),
  none('none-signed', 'alg "none", with the signature of a good token, and with random bytes', ({ good }) => {
    const parts = { header: { ...good.header, alg: 'none' }, payload: good.claims };
    const signature = Buffer.from(good.token.split('.')[2] ?? '', 'base64url');
    return [forge({ ...parts, signature }), forge({ ...parts, signature: Buffer.from('signature') })];
  }),
  none('none-two-parts', 'alg "none", without the second dot', (bench) => [
    unsigned(bench, 'none').replace(/\.$/, ''),
  ]),
  {
    id: 'T-017/unknown-alg',
    title: 'algorithms that do not exist, and no algorithm, with an empty signature',
    advice: NO_SIGNATURE,
    forge: (bench) =>
      ['HS2048', 'hs256', '', null, 0, true, [bench.good.alg], undefined].map((alg) => unsigned(bench, alg)),
  },
  {
    id: 'T-021/another-alg',
    takes: 'the-issuer',
    title: 'the right key, with another algorithm than its own',
    advice: 'A key is for one algorithm (RFC 8725bis §3.1). Compare alg of the token with alg of the key.',
    needs: [
      signingKey,
      rsaKey,
      ({ config, issuer, good }) =>
        config.allowsOtherHashes ||
        issuer.jwks?.keys.find(({ kid }) => kid === good.header.kid)?.alg !== good.alg
          ? 'the options or the published key accept several algorithms'
          : undefined,
    ],
    forge: ({ good, issuer }) =>
      Promise.all(
        (OTHERS[good.alg] ?? []).map((alg) => {
          const header = { ...good.header, alg };
          return signWith(issuer, alg, header, good.claims);
        }),
      ),
  },
  {
    id: 'T-033/known-secret',
    title: 'HS256 with an empty secret, and with secrets of tutorials',
    advice: 'Use a random secret of at least 32 bytes, and refuse to start without one.',
    forge: ({ good }) =>
      KNOWN_SECRETS.map((secret) =>
        forge({
          header: { ...good.header, alg: 'HS256' },
          payload: good.claims,
          signature: (input) => createHmac('sha256', secret).update(input).digest(),
        }),
      ),
  },
];

function signWith({ key }: Bench['issuer'], alg: string, header: unknown, claims: unknown): Promise<string> {
  if (key === undefined) throw new TypeError('expected an issuer with a key');
  return signParts({ alg, privateKey: key.privateKey }, header, claims);
}
