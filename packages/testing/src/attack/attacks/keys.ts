// Attacks with keys that the service does not trust, and by the kid that selects a key.
import { createHmac } from 'node:crypto';
import { forge } from '../../mint.ts';
import type { Attack } from '../attack.ts';
import { checkMinted, readGoodToken } from '../bench.ts';

const NOT_VERIFIED =
  'The service reads claims that it has not verified. Verify the signature with a key that you trust, and use claims only then.';
const KID =
  'kid may only select one of the keys that you trust: look it up in a map, and refuse a kid that is not in it.';

/** A kid, and the secret that an HMAC would have if the kid were used as a path or in a query. */
const INJECTIONS = [
  ['../../../../../../dev/null', ''],
  ['/dev/null', ''],
  ["' UNION SELECT 'latchkey' -- ", 'latchkey'],
  ['http://127.0.0.1/key', ''],
] as const;

export const KEY_ATTACKS: readonly Attack[] = [
  {
    id: 'T-035/changed-claims',
    takes: 'a-token',
    title: 'a good token whose claims were changed after it was signed',
    advice: NOT_VERIFIED,
    forge: ({ good }) => {
      const [header, , signature] = good.token.split('.');
      const claims = { ...good.claims, jti: 'changed', admin: true };
      return [`${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${signature}`];
    },
  },
  {
    id: 'T-035/wrong-key',
    title: 'a key that the service does not trust, with the kid of one that it trusts',
    advice: NOT_VERIFIED,
    forge: async ({ good, signAsStranger }) => [await signAsStranger(good.header, good.claims)],
  },
  {
    id: 'T-035/unknown-kid',
    title: 'a key that the service does not trust, with a kid of its own, and without a kid',
    advice: NOT_VERIFIED,
    forge: ({ good, signAsStranger }) =>
      Promise.all([
        signAsStranger({ ...good.header, kid: 'latchkey-unknown' }, good.claims),
        signAsStranger({ ...good.header, kid: undefined }, good.claims),
      ]),
  },
  {
    id: 'T-039/kid-type',
    title: 'a key that the service does not trust, with a kid that is not a text',
    advice: KID,
    forge: ({ good, signAsStranger }) =>
      Promise.all(
        [0, null, true, '', [good.header.kid ?? 'a'], { kid: 'a' }, 'k'.repeat(2_000)].map((kid) =>
          signAsStranger({ ...good.header, kid }, good.claims),
        ),
      ),
  },
  {
    id: 'T-040/kid-injection',
    title: 'HS256 with a kid that is a path, a URL or SQL, and the secret that it would lead to',
    advice: KID,
    forge: ({ good }) =>
      INJECTIONS.map(([kid, secret]) =>
        forge({
          header: { ...good.header, alg: 'HS256', kid },
          payload: good.claims,
          signature: (input) => createHmac('sha256', secret).update(input).digest(),
        }),
      ),
  },
  {
    id: 'T-041/kid-inherited',
    title: 'a kid with the name of an inherited property, such as __proto__',
    advice: `${KID} An object has such members by itself.`,
    forge: async ({ good, signAsStranger }) => {
      const kids = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
      const signed = kids.map((kid) => signAsStranger({ ...good.header, kid }, good.claims));
      const unsigned = kids.map((kid) =>
        forge({
          header: { ...good.header, alg: 'HS256', kid },
          payload: good.claims,
          signature: (input) => createHmac('sha256', '').update(input).digest(),
        }),
      );
      return [...(await Promise.all(signed)), ...unsigned];
    },
  },
  {
    id: 'T-049/issuer-mixing',
    takes: 'the-issuer',
    title: 'the claims of one issuer, signed by another one that the service trusts',
    advice:
      'Each issuer could make tokens in the name of the other one. Look keys up only in the keys of the issuer that iss names.',
    needs: [
      ({ attack }) => (attack.otherIssuer === undefined ? 'otherIssuer is not given' : undefined),
      ({ config }) =>
        config.issuer === undefined ? 'the options let several issuers use the same keys' : undefined,
    ],
    forge: async ({ attack, good }) => {
      const { kid, ...header } = good.header;
      const mint = attack.otherIssuer?.mint ?? (() => Promise.reject(new TypeError('expected otherIssuer')));
      const own = readGoodToken(await mint({})).header;
      const headers = [own.kid, kid].map((each) => ({ ...header, alg: own.alg, kid: each }));
      return Promise.all(
        headers.map(async (each) => {
          const token = await mint(good.claims, each);
          checkMinted(token, good.claims, each);
          return token;
        }),
      );
    },
  },
];
