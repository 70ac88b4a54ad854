// What attacks are made with, for one route: a good token and its parts, keys, and how tokens get
// into requests.
import { createSecretKey, randomBytes } from 'node:crypto';
import {
  type AlgorithmName,
  type Carrier,
  ConfigError,
  type JsonObject,
  type JsonValue,
} from '@latchkey/core';
import type { DpopKey, ProofParts } from '../dpop.ts';
import { generateSigningKey, type SigningKey } from '../keys.ts';
import { type MintClaims, signParts } from '../mint.ts';
import { carrierFor, placed } from './carry.ts';
import { type Configuration, configurationOf } from './configuration.ts';
import type { Forgery } from './forgery.ts';
import type { KeyListener } from './listener.ts';
import type { AttackIssuer, CheckedAttack, CheckedRoute } from './options.ts';
import type { SentRequest } from './send.ts';

/** A token that the service accepts. */
export interface GoodToken {
  readonly token: string;
  readonly alg: AlgorithmName;
  readonly header: JsonObject;
  readonly claims: JsonObject;
}

type Header = { readonly [name: string]: JsonValue | undefined };
type Pairs = readonly (readonly [name: string, value: string])[];

/** What does not change between routes. */
export interface Tools {
  /** A key that the service does not trust, with the algorithm and the kid of good tokens. */
  readonly stranger: Pick<SigningKey, 'alg' | 'kid' | 'privateKey' | 'publicJwk'>;
  /** The key that tokens are bound to, and another one. */
  readonly dpop: DpopKey;
  readonly anotherDpop: DpopKey;
  /** Where no service may connect to. */
  readonly listener: KeyListener;
}

/** What the attacks on one route are made with. */
export interface Bench extends Tools {
  readonly attack: CheckedAttack;
  readonly route: CheckedRoute;
  readonly config: Configuration;
  readonly issuer: AttackIssuer;
  readonly good: GoodToken;
  /** Where tokens are put. */
  readonly carrier: Carrier;
  /** Makes a good token, with other claims and another header. Undefined leaves one out. */
  mint(claims?: MintClaims, header?: Header): Promise<string>;
  /** Signs any header and payload with the key of the issuer. */
  sign(header: unknown, payload: unknown): Promise<string>;
  /** Signs with a key that the service does not trust. */
  signAsStranger(header: unknown, payload: unknown): Promise<string>;
  /** The headers of a token in `Authorization`, or in another place of `tokenFrom`. */
  carry(token: string): Promise<Forgery>;
  /** A proof of DPoP for the route. */
  proof(parts: Partial<ProofParts>, key?: DpopKey): Promise<string>;
  /** The whole request. */
  requestOf(forgery: Forgery): Promise<SentRequest>;
}

/** A nonce of DPoP that the service has sent, by the service. */
export interface Nonce {
  current: string | undefined;
}

/**
 * Reads the header and the claims of a good token.
 * @throws ConfigError for another form of token
 */
export function readGoodToken(token: string): GoodToken {
  try {
    const [header, claims] = token.split('.', 2).map((part) => JSON.parse(textOf(part)) as JsonObject);
    if (header !== undefined && claims !== undefined)
      return { token, header, claims, alg: header.alg as AlgorithmName };
  } catch {
    // Said below.
  }
  throw new ConfigError('issuer.mint', 'expected a signed JWT, got another form of token');
}

const textOf = (part: string) => Buffer.from(part, 'base64url').toString();

/**
 * Checks that a token has what it was asked to have: a good token in place of a forged one would be
 * let in.
 * @throws ConfigError
 */
export function checkMinted(token: string, claims: MintClaims, header: Header): void {
  const made = readGoodToken(token);
  const parts = [
    [claims, made.claims],
    [header, made.header],
  ] as const;
  for (const [asked, got] of parts)
    for (const [name, value] of Object.entries(asked))
      if (JSON.stringify(value) !== JSON.stringify(Object.hasOwn(got, name) ? got[name] : undefined))
        throw new ConfigError('issuer.mint', `mint of the issuer does not write ${name} as it is asked to`);
}

/** A key of the same kind and the same kid as the one that signed a good token. */
export async function strangerFor({ alg, header }: GoodToken): Promise<Tools['stranger']> {
  const kid = typeof header.kid === 'string' ? header.kid : 'stranger';
  if (!alg.startsWith('HS')) return generateSigningKey(alg, kid);
  return { alg, kid, privateKey: createSecretKey(randomBytes(64)), publicJwk: {} };
}

/** Makes the bench of a route. */
export async function benchFor(
  attack: CheckedAttack,
  route: CheckedRoute,
  tools: Tools,
  nonce: Nonce,
): Promise<Bench> {
  const { issuer } = attack;
  const asked = { ...route.claims, ...route.requires };
  const config = configurationOf(attack, readGoodToken(await issuer.mint(asked)).claims);
  const { binding, types } = config;
  const cnf =
    binding === 'dpop' ? tools.dpop.cnf : binding === 'certificate' ? attack.certificate?.cnf : undefined;
  const bound = cnf === undefined ? asked : { ...asked, cnf };
  const header = types === undefined || types.includes('jwt') ? {} : { typ: types[0] };
  const mint = async (claims: MintClaims = {}, more: Header = {}) => {
    const token = await issuer.mint({ ...bound, ...claims }, { ...header, ...more });
    checkMinted(token, claims, more);
    return token;
  };
  const carrier = carrierFor(config.carriers, route);
  const proof = async (parts: Partial<ProofParts>, key = tools.dpop) =>
    key.proof({
      method: route.method,
      url: `${config.publicUrl}${route.path}`,
      atMs: config.now() * 1000,
      ...(nonce.current === undefined ? {} : { nonce: nonce.current }),
      ...parts,
    });
  const carry = async (token: string): Promise<Forgery> =>
    binding === 'dpop'
      ? {
          headers: [
            ['Authorization', `DPoP ${token}`],
            ['DPoP', await proof({ token })],
          ],
        }
      : placed(carrier, token, route);
  return {
    ...tools,
    attack,
    route,
    config,
    issuer,
    good: readGoodToken(await mint()),
    carrier,
    mint,
    sign: (head, payload) => {
      if (issuer.key === undefined) throw new TypeError('expected an issuer with a key');
      return signParts(issuer.key, head, payload);
    },
    signAsStranger: (head, payload) => signParts(tools.stranger, head, payload),
    carry,
    proof,
    async requestOf({ token, ...forgery }) {
      const carried = token === undefined ? {} : await carry(token);
      const headers: Pairs = [
        ...Object.entries(route.headers),
        ...(carried.headers ?? []),
        ...(forgery.headers ?? []),
      ];
      return {
        method: forgery.method ?? route.method,
        target: forgery.target ?? carried.target ?? route.path,
        headers,
        body: forgery.body ?? carried.body ?? route.body,
      };
    },
  };
}
