// Services that each have one hole, as holes have been found in the wild, and the attacks that must
// find it: holes for algorithms, keys, issuers and headers. Those for the form of a token and its
// claims are in broken-claims.ts, and those for requests in broken-requests.ts.
import { createHmac, createPublicKey, type JsonWebKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Members, type Parsed, SOUND, type Steps, type Trust, type Trusted, tokenBy } from './sound.ts';

/** A hole. */
export interface Broken {
  readonly name: string;
  readonly steps: Partial<Steps>;
  /** The ids of all attacks that are let in. */
  readonly letIn: readonly string[];
  /** The ids of all attacks that break the service. Default: none. */
  readonly broke?: readonly string[];
}

const LIKE_ISSUERS = ['prefix', 'part', 'slash', 'case'].map((name) => `T-052/iss-${name}`);

const isHmac = ({ input, signature }: Parsed, bits: string, secret: string | Buffer) =>
  createHmac(`sha${bits}`, secret).update(input).digest().equals(signature);

/** Verifies an HMAC with a public key in some form. */
const confused = (secretOf: (key: Trusted) => string | Buffer): Partial<Steps> => ({
  isSigned: (parsed, key) => {
    const [, bits] = /^HS(256|512)$/.exec(String(parsed.header.alg)) ?? [];
    if (bits === undefined || key === undefined) return SOUND.isSigned(parsed, key);
    return isHmac(parsed, bits, secretOf(key));
  },
});

/** Takes the key of the token, if it brings one. */
const embedded = (
  keyIn: (header: Members) => JsonWebKey | string | undefined | Promise<JsonWebKey | undefined>,
): Partial<Steps> => ({
  keyOf: async (parsed, trust) => {
    const found = await keyIn(parsed.header);
    if (found === undefined) return SOUND.keyOf(parsed, trust);
    const key = typeof found === 'string' ? found : { key: found, format: 'jwk' as const };
    return { alg: 'ES256', key: createPublicKey(key) };
  },
});

/** Looks a key up by kid alone. */
const byKid = ({ header }: Parsed, { issuers }: Trust) =>
  [...issuers.values()].map((keys) => keys.get(header.kid)).find((key) => key !== undefined);

export const BROKEN_KEYS: readonly Broken[] = [
  {
    name: 'accepts alg none',
    steps: {
      tokenOf: (request) => tokenBy(/^Bearer ([\w-]+\.[\w-]+\.[\w-]*)$/, request),
      isSigned: (parsed, key) => parsed.header.alg === 'none' || SOUND.isSigned(parsed, key),
    },
    letIn: ['T-016/none', 'T-016/none-signed'],
  },
  {
    name: 'refuses "none" in small letters only',
    steps: {
      tokenOf: (request) => tokenBy(/^Bearer ([\w-]+\.[\w-]+\.[\w-]*)$/, request),
      isSigned: (parsed, key) => {
        const { alg } = parsed.header;
        return (alg !== 'none' && /^none$/i.test(String(alg))) || SOUND.isSigned(parsed, key);
      },
    },
    letIn: ['T-016/none-case'],
  },
  {
    name: 'compares no signature for an algorithm that it does not know',
    steps: {
      tokenOf: (request) => tokenBy(/^Bearer ([\w-]+\.[\w-]+\.[\w-]*)$/, request),
      isSigned: (parsed, key) =>
        parsed.header.alg === 'HS2048' ? parsed.signature.length === 0 : SOUND.isSigned(parsed, key),
    },
    letIn: ['T-017/unknown-alg'],
  },
  {
    name: 'verifies an HMAC with the public key in PEM',
    steps: confused(({ key }) => key.export({ type: 'spki', format: 'pem' })),
    letIn: ['T-018/spki-pem'],
  },
  {
    name: 'verifies an HMAC with the public key in DER',
    steps: confused(({ key }) => key.export({ type: 'spki', format: 'der' })),
    letIn: ['T-018/spki-der'],
  },
  {
    name: 'has the secret of a tutorial',
    steps: {
      isSigned: (parsed, key) =>
        parsed.header.alg === 'HS256' ? isHmac(parsed, '256', 'secret') : SOUND.isSigned(parsed, key),
    },
    letIn: ['T-033/known-secret'],
  },
  {
    name: 'reads the claims without a look at the signature',
    steps: {
      tokenOf: (request) => tokenBy(/^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/, request),
      isSigned: () => true,
    },
    letIn: [
      'T-016/none-signed',
      ...['spki-pem', 'spki-pem-trimmed', 'spki-pem-crlf', 'spki-der', 'jwk', 'jwks', 'raw'].map(
        (form) => `T-018/${form}`,
      ),
      'T-033/known-secret',
      ...['changed-claims', 'wrong-key', 'unknown-kid'].map((name) => `T-035/${name}`),
      ...['T-039/kid-type', 'T-040/kid-injection', 'T-041/kid-inherited', 'T-049/issuer-mixing'],
      ...['T-023/truncated', 'T-023/extended', 'T-024/zero', 'T-036/embedded-jwk'],
      ...['T-037/jku', 'T-037/x5u', 'T-038/x5c'],
    ],
  },
  {
    name: 'uses kid as the name of a file',
    steps: {
      keyOf: (parsed, trust) => {
        const { kid, alg } = parsed.header;
        return alg === 'HS256' && kid === '../../../../../../dev/null'
          ? ({ alg: 'HS256', key: readFileSync('/dev/null') } as never)
          : SOUND.keyOf(parsed, trust);
      },
      isSigned: (parsed, key) =>
        key?.alg === 'HS256' ? isHmac(parsed, '256', key.key as never) : SOUND.isSigned(parsed, key),
    },
    letIn: ['T-040/kid-injection'],
  },
  {
    name: 'looks keys up by kid alone, and so accepts those of other issuers',
    steps: { keyOf: byKid },
    letIn: ['T-049/issuer-mixing'],
  },
  {
    name: 'does not check the issuer',
    steps: { keyOf: byKid, issuerPasses: () => true },
    letIn: [
      'T-049/issuer-mixing',
      'T-051/iss-missing',
      'T-051/iss-shape',
      'T-050/iss-unknown',
      ...LIKE_ISSUERS,
    ],
  },
  {
    name: 'checks whether the issuer includes the right one',
    steps: {
      keyOf: (parsed, trust) => {
        const all = [...trust.issuers].find(([iss]) => String(parsed.claims.iss).includes(String(iss)));
        return all?.[1].get(parsed.header.kid);
      },
      issuerPasses: () => true,
    },
    letIn: ['T-051/iss-shape', 'T-052/iss-prefix', 'T-052/iss-part', 'T-052/iss-slash'],
  },
  {
    name: 'trusts the key in the header',
    steps: embedded(({ jwk }) => jwk as JsonWebKey | undefined),
    letIn: ['T-036/embedded-jwk'],
  },
  {
    name: 'follows jku',
    steps: embedded(async ({ jku }) => {
      if (typeof jku !== 'string') return undefined;
      const { keys } = (await (await fetch(jku)).json()) as { keys: JsonWebKey[] };
      return keys[0];
    }),
    letIn: ['T-037/jku'],
  },
  {
    name: 'asks at x5u, and does not use what it gets',
    steps: embedded(async ({ x5u }) => {
      if (typeof x5u === 'string') await (await fetch(x5u)).text();
      return undefined;
    }),
    letIn: ['T-037/x5u'],
  },
  {
    name: 'trusts the certificate in the header',
    steps: embedded(({ x5c }) => {
      if (!Array.isArray(x5c)) return undefined;
      const certificate = new X509Certificate(Buffer.from(x5c[0], 'base64'));
      return certificate.publicKey.export({ type: 'spki', format: 'pem' }).toString();
    }),
    letIn: ['T-038/x5c'],
  },
  {
    name: 'ignores crit',
    steps: { headerPasses: ({ typ }) => typ === 'JWT' },
    letIn: ['T-042/crit', 'T-042/crit-malformed', 'T-043/b64'],
  },
  {
    name: 'ignores typ',
    steps: { headerPasses: ({ crit, b64 }) => crit === undefined && b64 === undefined },
    letIn: ['logout-token', 'dpop-proof', 'security-event', 'client-assertion'].map(
      (name) => `T-046/${name}`,
    ),
  },
  {
    name: 'verifies ECDSA with bytes that are missing taken as zero, and throws for others',
    steps: {
      isSigned: (parsed, key) => {
        if (parsed.signature.length > 64) throw new TypeError('too long');
        return SOUND.isSigned(parsed, key);
      },
    },
    letIn: [],
    broke: ['T-023/extended'],
  },
  {
    name: 'accepts an ECDSA signature of zeros',
    steps: {
      isSigned: (parsed, key) => parsed.signature.every((byte) => byte === 0) || SOUND.isSigned(parsed, key),
    },
    letIn: ['T-024/zero'],
  },
  {
    name: 'compares the signature up to its end only',
    steps: {
      isSigned: (parsed, key) =>
        SOUND.isSigned({ ...parsed, signature: parsed.signature.subarray(0, 64) }, key),
    },
    letIn: ['T-023/extended'],
  },
];
