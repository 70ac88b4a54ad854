// Makes tokens of plans: the JSON texts, their segments, the signature, and the one mutation where
// it belongs. Which plans there are is in plans.ts.
import { constants, createHmac, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { CONFIGS, MAX_BYTES, NOW_S } from './configs.ts';
import { SIGNERS, type SignerKey } from './keys.ts';
import type { Member, Mutation } from './mutations.ts';
import type { TokenPlan } from './plans.ts';
import { spelled } from './spellings.ts';

const ORDERS: Readonly<Record<string, bigint>> = {
  ES256: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  ES384: BigInt(`0x${'f'.repeat(48)}c7634d81f4372ddf581a0db248b0a77aecec196accc52973`),
  ES512: BigInt(`0x01${'f'.repeat(64)}fa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409`),
};

/** Makes the token of a plan. Only the bytes of its signature differ from one call to the next. */
export function tokenOf(plan: TokenPlan): string {
  const { mutation } = plan;
  if (mutation.kind !== 'size') return made(plan, []);
  // The first length that is not less than wanted: not all lengths are possible in base64url.
  const wanted = MAX_BYTES + mutation.over;
  let pad = Math.max(0, Math.floor(((wanted - made(plan, []).length) * 3) / 4) - 12);
  for (;;) {
    const token = made(plan, [['pad', JSON.stringify('p'.repeat(pad))]]);
    if (token.length >= wanted) return token;
    pad++;
  }
}

function made(plan: TokenPlan, more: readonly Member[]): string {
  const { mutation } = plan;
  const signer: SignerKey = SIGNERS[plan.signer];
  const alg = mutation.kind === 'algorithm' ? mutation.alg : signer.alg;
  const types = (CONFIGS[plan.config] ?? CONFIGS[0])?.types ?? [];
  const typ = types[plan.typ % types.length];
  const header: Member[] = [['alg', JSON.stringify(alg)]];
  if (plan.hasKid && signer.kid !== undefined) header.push(['kid', JSON.stringify(signer.kid)]);
  if (typ !== undefined) header.push(['typ', JSON.stringify(plan.typ > 2 ? typ.toUpperCase() : typ)]);
  const claims: Member[] = [['iss', JSON.stringify(signer.issuer)], ...plan.claims, ...more];
  const members = {
    header: changed([...header, ...plan.header], mutation, 'header'),
    claims: changed(claims, mutation, 'claim', plan.config),
  };
  const [head, payload] = (['header', 'claims'] as const).map((part, index) => {
    const bytes =
      mutation.kind === 'spelling' && mutation.part === part
        ? spelled(members[part], mutation.how, mutation.at)
        : Buffer.from(textOf(members[part]));
    const text = bytes.toString('base64url');
    return mutation.kind === 'characters' && mutation.signed && mutation.segment === index
      ? withCharacters(text, mutation)
      : text;
  }) as [string, string];
  const signature = resigned(signatureOf(`${head}.${payload}`, alg, signer, mutation), alg, mutation);
  return rearranged([head, payload, signature.toString('base64url')], mutation);
}

/** A JSON object of these members. */
function textOf(members: readonly Member[]): string {
  return `{${members.map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(',')}}`;
}

/** The members, of which the mutation adds one, changes one, or leaves one out. */
function changed(
  members: readonly Member[],
  mutation: Mutation,
  kind: 'header' | 'claim',
  config = 0,
): readonly Member[] {
  if (mutation.kind === 'time' && kind === 'claim')
    return withMember(members, mutation.claim, timeOf(mutation, config));
  if (mutation.kind !== kind) return members;
  return withMember(members, mutation.name, mutation.json);
}

function withMember(members: readonly Member[], name: string, json: string | null): readonly Member[] {
  const others = members.filter(([other]) => other !== name);
  return json === null ? others : [...others, [name, json]];
}

function timeOf({ edge, deltaMs }: Mutation & { kind: 'time' }, config: number): string {
  const { skewS = 0, maxAgeS = 0 } = CONFIGS[config] ?? {};
  const from = { now: 0, 'past skew': -skewS, 'future skew': skewS, age: -skewS - maxAgeS }[edge];
  const ms = (NOW_S + from) * 1000 + deltaMs;
  return deltaMs % 1000 === 0 ? `${ms / 1000}` : (ms / 1000).toFixed(3);
}

function signatureOf(input: string, alg: string, signer: SignerKey, mutation: Mutation): Buffer {
  if (mutation.kind !== 'key') return signedBy(input, alg, signer.privateKey);
  if (mutation.by !== 'public key as secret') {
    const other: SignerKey = SIGNERS[mutation.by];
    // By its own algorithm, whatever the header says, where it cannot do that one.
    return signedBy(input, fits(alg, other.privateKey) ? alg : other.alg, other.privateKey);
  }
  const { privateKey } = signer;
  const secret =
    privateKey.type === 'secret'
      ? 'secret'
      : createPublicKey(privateKey).export({ type: 'spki', format: 'pem' });
  return createHmac('sha256', secret).update(input).digest();
}

/** RFC 7518 §3. An algorithm that the key cannot do gets the signature of one that it can. */
function signedBy(input: string, alg: string, key: KeyObject): Buffer {
  const bytes = Buffer.from(input);
  const hash = `sha${/\d+$/.exec(alg)?.[0] ?? '256'}`;
  if (key.type === 'secret')
    return createHmac(alg.startsWith('HS') ? hash : 'sha256', key)
      .update(bytes)
      .digest();
  if (key.asymmetricKeyType === 'ed25519') return sign(null, bytes, key);
  const usable = fits(alg, key) ? hash : 'sha256';
  if (key.asymmetricKeyType === 'ec') return sign(usable, bytes, { key, dsaEncoding: 'ieee-p1363' });
  const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
  return sign(usable, bytes, alg.startsWith('PS') ? { key, ...padding } : key);
}

function fits(alg: string, { type, asymmetricKeyType }: KeyObject): boolean {
  if (type === 'secret') return alg.startsWith('HS');
  if (asymmetricKeyType === 'ed25519') return alg.startsWith('Ed');
  return asymmetricKeyType === 'ec' ? /^ES\d/.test(alg) : /^[RP]S\d/.test(alg);
}

function resigned(signature: Buffer, alg: string, mutation: Mutation): Buffer {
  if (mutation.kind !== 'signature') return signature;
  const half = signature.length / 2;
  const halves = [signature.subarray(0, half), signature.subarray(half)] as const;
  switch (mutation.how) {
    case 'flip a bit': {
      const flipped = Buffer.from(signature);
      const at = mutation.at % signature.length;
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (mutation.at % 8));
      return flipped;
    }
    case 'cut a byte':
      return signature.subarray(0, -1);
    case 'cut the first byte':
      return signature.subarray(1);
    case 'add a byte':
      return Buffer.concat([signature, Buffer.from([mutation.at % 256])]);
    case 'zero before':
      return Buffer.concat([Buffer.alloc(1), signature]);
    case 'zeros':
      return Buffer.alloc(signature.length);
    case 'no bytes':
      return Buffer.alloc(0);
    case 'DER':
      return Buffer.concat([
        Buffer.from([0x30, signature.length + 4, 2, half]),
        halves[0],
        Buffer.from([2, half]),
        halves[1],
      ]);
    case 'negative s': {
      // The other signature of the same bytes, which is as valid.
      const order = ORDERS[alg];
      if (order === undefined) return signature;
      const s = (order - BigInt(`0x${halves[1].toString('hex')}`)).toString(16).padStart(2 * half, '0');
      return Buffer.concat([halves[0], Buffer.from(s, 'hex')]);
    }
    case 'swap halves':
      return Buffer.concat([halves[1], halves[0]]);
    case 'doubled':
      return Buffer.concat([signature, signature]);
  }
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

function withCharacters(segment: string, { how, at, text }: Mutation & { kind: 'characters' }): string {
  const index = at % (segment.length + 1);
  switch (how) {
    case 'insert':
      return segment.slice(0, index) + text + segment.slice(index);
    case 'replace':
      return segment.slice(0, index) + text + segment.slice(index + 1);
    case 'spare bits': {
      // The bits of the last character that no byte has. A segment without any stays as it is.
      const spare = [0, 0, 16, 4][segment.length % 4] ?? 0;
      if (spare === 0) return segment;
      const value = ALPHABET.indexOf(segment.at(-1) ?? 'A') + 1 + (at % (spare - 1));
      return segment.slice(0, -1) + ALPHABET[value % 64];
    }
  }
}

function rearranged(parts: readonly [string, string, string], mutation: Mutation): string {
  const [head, payload, signature] = parts;
  if (mutation.kind === 'characters' && (mutation.segment === 2 || !mutation.signed))
    return parts
      .map((part, index) => (index === mutation.segment ? withCharacters(part, mutation) : part))
      .join('.');
  const token = parts.join('.');
  if (mutation.kind !== 'segments') return token;
  switch (mutation.how) {
    case 'no header':
      return `.${payload}.${signature}`;
    case 'no payload':
      return `${head}..${signature}`;
    case 'no signature':
      return `${head}.${payload}.`;
    case 'two segments':
      return `${head}.${payload}`;
    case 'one segment':
      return payload;
    case 'four segments':
      return `${token}.${signature}`;
    case 'five segments':
      return `${token}.${head}.${payload}`;
    case 'dot before':
      return `.${token}`;
    case 'dot after':
      return `${token}.`;
    case 'swapped':
      return `${payload}.${head}.${signature}`;
    case 'flattened JSON':
      return JSON.stringify({ protected: head, payload, signature });
    case 'quoted':
      return JSON.stringify(token);
    case 'scheme before':
      return `Bearer ${token}`;
    case 'doubled':
      return token + token;
    case 'nothing':
      return '';
  }
}
