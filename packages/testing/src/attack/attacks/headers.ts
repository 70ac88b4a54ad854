// Attacks by members of the JOSE header: keys and URLs in the token, extensions, types, encryption.
import {
  constants,
  createCipheriv,
  createPrivateKey,
  createPublicKey,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import { createClientCertificate } from '../../client-certificate.ts';
import { forge, signParts } from '../../mint.ts';
import type { Attack, Need } from '../attack.ts';
import { signingKey } from '../attack.ts';
import type { Bench } from '../bench.ts';

const EMBEDDED =
  'The token brings the key that verifies it, so every caller can sign. Take keys from your configuration only.';
const FETCHED =
  'The service follows a URL of a token that it has not verified yet. Take the URL of keys from your configuration only.';
const EXTENSION =
  'The token says that it needs an extension that the service does not have (RFC 7515 §4.1.11). Refuse each crit that you do not implement.';
const TYPE =
  'A token of another kind passes as an access token (RFC 8725 §3.11). Accept only the typ that your access tokens have.';

const keyPair: Need = ({ good }) =>
  good.alg.startsWith('HS') ? 'the tokens are signed with a shared secret' : undefined;

const typed = (name: string, typ: string, title: string): Attack => ({
  id: `T-046/${name}`,
  takes: 'a-token',
  title: `a token with typ "${typ}": ${title}`,
  advice: TYPE,
  needs: [({ config }) => (config.types?.includes(typ) ? 'the options accept this typ' : undefined)],
  forge: async ({ mint }) => [await mint({}, { typ }), await mint({}, { typ: `application/${typ}` })],
});

export const HEADER_ATTACKS: readonly Attack[] = [
  {
    id: 'T-036/embedded-jwk',
    takes: 'nothing',
    title: 'an untrusted key in the header of the token (jwk), with and without kid',
    advice: EMBEDDED,
    needs: [keyPair],
    forge: ({ good, stranger, signAsStranger }) => {
      const jwk = stranger.publicJwk;
      return Promise.all([
        signAsStranger({ ...good.header, jwk }, good.claims),
        signAsStranger({ ...good.header, jwk, kid: undefined }, good.claims),
      ]);
    },
  },
  ...(['jku', 'x5u'] as const).map(
    (name): Attack => ({
      id: `T-037/${name}`,
      takes: 'nothing',
      title: `a URL of untrusted keys in the header of the token (${name})`,
      advice: FETCHED,
      forge: ({ good, listener, signAsStranger }) => {
        const header = { ...good.header, [name]: listener.urlFor(`T-037/${name}`) };
        return Promise.all([
          signAsStranger(header, good.claims),
          signAsStranger({ ...header, kid: 'latchkey-unknown' }, good.claims),
        ]);
      },
    }),
  ),
  {
    id: 'T-038/x5c',
    takes: 'nothing',
    title: 'an untrusted certificate in the header of the token (x5c)',
    advice: EMBEDDED,
    needs: [keyPair],
    forge: async ({ good }) => {
      const { clientCert, key } = createClientCertificate();
      const header = { ...good.header, alg: 'ES256', x5c: [clientCert.slice(1, -1)] };
      const signing = { alg: 'ES256', privateKey: createPrivateKey(key) };
      return [
        await signParts(signing, header, good.claims),
        await signParts(signing, { ...header, kid: undefined }, good.claims),
      ];
    },
  },
  {
    id: 'T-042/crit',
    title: 'crit with an unknown extension',
    advice: EXTENSION,
    forge: async ({ mint }) => [
      await mint({}, { crit: ['urn:example:unknown'], 'urn:example:unknown': true }),
    ],
  },
  {
    id: 'T-042/crit-malformed',
    title: 'crit that is an empty list, a text, or names a member that is not there',
    advice: EXTENSION,
    forge: ({ mint }) => Promise.all([[], 'exp', ['missing']].map((crit) => mint({}, { crit }))),
  },
  {
    id: 'T-043/b64',
    title: 'b64 false: a payload that is not encoded',
    advice: EXTENSION,
    forge: async ({ mint }) => [await mint({}, { b64: false, crit: ['b64'] })],
  },
  {
    id: 'T-044/encrypted',
    takes: 'nothing',
    title: 'an encrypted token (five parts) around one without a signature',
    advice:
      'Encryption with a public key says nothing about who wrote the token. Refuse tokens of five parts, or verify the signature of the token inside.',
    forge: (bench) => [encrypted(bench)],
  },
  typed('logout-token', 'logout+jwt', 'a logout token'),
  typed('dpop-proof', 'dpop+jwt', 'a proof of DPoP'),
  typed('security-event', 'secevent+jwt', 'a security event'),
  typed('client-assertion', 'client-authentication+jwt', 'the assertion of a client'),
  {
    id: 'T-046/id-token',
    takes: 'a-token',
    title: 'a token with typ "JWT", and one without typ: an ID token',
    advice: TYPE,
    needs: [
      ({ config }) =>
        config.types === undefined || config.types.includes('jwt')
          ? 'the options do not say another typ, so nothing tells an ID token from an access token but its audience'
          : undefined,
    ],
    forge: async ({ mint }) => [await mint({}, { typ: 'JWT' }), await mint({}, { typ: undefined })],
  },
  {
    id: 'T-047/nested',
    title: 'a token inside a token (cty "JWT")',
    advice: 'The payload of an access token is a JSON object. Refuse everything else.',
    needs: [signingKey],
    forge: async ({ good, sign }) => [await sign({ ...good.header, cty: 'JWT' }, good.token)],
  },
];

/** RFC 7516: encrypted for an RSA key of the issuer, or else by a key of zeros. */
function encrypted({ good, issuer }: Bench): string {
  const rsa = issuer.jwks?.keys.find(({ kty }) => kty === 'RSA');
  const key = rsa === undefined ? Buffer.alloc(32) : randomBytes(32);
  const alg = rsa === undefined ? 'dir' : 'RSA-OAEP';
  const header = Buffer.from(
    JSON.stringify({ alg, enc: 'A256GCM', cty: 'JWT', kid: good.header.kid }),
  ).toString('base64url');
  const wrapped =
    rsa === undefined
      ? Buffer.alloc(0)
      : publicEncrypt(
          {
            key: createPublicKey({ key: { ...rsa }, format: 'jwk' }),
            padding: constants.RSA_PKCS1_OAEP_PADDING,
          },
          key,
        );
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(header));
  const inside = forge({ header: { alg: 'none' }, payload: good.claims });
  const content = Buffer.concat([cipher.update(inside), cipher.final()]);
  return [
    header,
    ...[wrapped, iv, content, cipher.getAuthTag()].map((part) => part.toString('base64url')),
  ].join('.');
}
