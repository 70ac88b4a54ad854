// A service that checks tokens by hand, in steps that tests replace by wrong ones. Each step is
// right as it is here.
import { createPublicKey, createVerify, type KeyObject } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { TestIssuer } from '../../src/index.ts';

export type Members = Record<string, unknown>;

/** A key of an issuer, and its algorithm. */
export interface Trusted {
  readonly alg: string;
  readonly key: KeyObject;
}

/** What the steps know. */
export interface Trust {
  readonly audience: string;
  /** By issuer, and then by kid. */
  readonly issuers: ReadonlyMap<unknown, ReadonlyMap<unknown, Trusted>>;
}

export interface Parsed {
  readonly header: Members;
  readonly claims: Members;
  readonly input: string;
  readonly signature: Buffer;
}

export interface Steps {
  /** Whether the request needs a token. */
  guards(request: IncomingMessage): boolean;
  /** The path by which the handler is found. */
  pathOf(request: IncomingMessage): string;
  tokenOf(request: IncomingMessage): string | undefined;
  bytesOf(part: string): Buffer | undefined;
  jsonOf(bytes: Buffer): Members | undefined;
  headerPasses(header: Members): boolean;
  keyOf(parsed: Parsed, trust: Trust): Trusted | undefined | Promise<Trusted | undefined>;
  isSigned(parsed: Parsed, key: Trusted | undefined): boolean;
  issuerPasses(claims: Members, trust: Trust): boolean;
  audiencePasses(claims: Members, trust: Trust): boolean;
  timesPass(claims: Members): boolean;
  bindingPasses(claims: Members): boolean;
  rulesPass(claims: Members): boolean;
  refuse(response: ServerResponse): void;
}

export const PATH = '/api/orders';
const TYPES = new Set([undefined, 'JWT', 'at+jwt']);
export const now = () => Math.floor(Date.now() / 1000);
export const isTime = (value: unknown): value is number => typeof value === 'number' && value < 2 ** 33;

export const SOUND: Steps = {
  guards: () => true,
  pathOf: (request) => request.url?.split('?')[0] ?? '',
  tokenOf: (request) => tokenBy(/^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/, request),
  bytesOf: (part) => {
    const bytes = Buffer.from(part, 'base64url');
    return bytes.toString('base64url') === part ? bytes : undefined;
  },
  // The issuer writes JSON in one way only, so there is only one text for each value.
  jsonOf: (bytes) => {
    const value = parse(bytes.toString());
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject && Buffer.from(JSON.stringify(value)).equals(bytes) ? (value as Members) : undefined;
  },
  headerPasses: ({ crit, b64, typ }) =>
    crit === undefined && b64 === undefined && TYPES.has(typ as string | undefined),
  keyOf: ({ header, claims }, { issuers }) => issuers.get(claims.iss)?.get(header.kid),
  isSigned: (parsed, key) =>
    key !== undefined &&
    parsed.header.alg === key.alg &&
    parsed.signature.length === 64 &&
    verified(parsed, key.key),
  issuerPasses: ({ iss }, { issuers }) => issuers.has(iss),
  audiencePasses: ({ aud }, { audience }) =>
    aud === audience || (Array.isArray(aud) && aud.includes(audience)),
  timesPass: ({ exp, nbf = 0, iat = 0 }) =>
    isTime(exp) && exp + 5 > now() && isTime(nbf) && nbf - 5 <= now() && isTime(iat) && iat - 5 <= now(),
  bindingPasses: ({ cnf }) => cnf === undefined,
  rulesPass: (claims) =>
    typeof claims.scope === 'string' &&
    claims.scope.split(' ').includes('read') &&
    Object.hasOwn(claims, 'scope'),
  refuse: (response) => void response.writeHead(401).end(),
};

/** The token in the only Authorization header, if it has this form and is not too long. */
export function tokenBy(form: RegExp, { rawHeaders }: IncomingMessage): string | undefined {
  const isValue = (_: string, index: number) =>
    index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === 'authorization';
  const values = rawHeaders.filter(isValue);
  const token = form.exec(values[0] ?? '')?.[1];
  return values.length === 1 && (token?.length ?? 0) <= 16_384 ? token : undefined;
}

/** ES256, with the signature as JWS has it. */
function verified({ input, signature }: Parsed, key: KeyObject): boolean {
  return createVerify('sha256').update(input).verify({ key, dsaEncoding: 'ieee-p1363' }, signature);
}

export function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The keys of issuers. */
export function trustIn(audience: string, ...issuers: readonly TestIssuer[]): Trust {
  return {
    audience,
    issuers: new Map(
      issuers.map(({ issuer, jwks }) => [
        issuer,
        new Map(
          jwks.keys.map((jwk) => [
            jwk.kid,
            { alg: String(jwk.alg), key: createPublicKey({ key: { ...jwk }, format: 'jwk' }) },
          ]),
        ),
      ]),
    ),
  };
}

/** The service. What a step throws is a 500. */
export function serviceOf(steps: Steps, trust: Trust): RequestListener {
  return (request, response) => {
    answer(steps, trust, request, response).catch(() => response.writeHead(500).end());
  };
}

async function answer(steps: Steps, trust: Trust, request: IncomingMessage, response: ServerResponse) {
  const claims = steps.guards(request) ? await claimsOf(steps, trust, request) : {};
  if (claims === undefined) return steps.refuse(response);
  if (steps.pathOf(request) !== PATH) {
    response.writeHead(404, { 'content-type': 'application/json' }).end('{"message":"not found"}');
    return;
  }
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ orders: [], subject: claims.sub ?? null }));
}

async function claimsOf(steps: Steps, trust: Trust, request: IncomingMessage): Promise<Members | undefined> {
  const token = steps.tokenOf(request);
  if (token === undefined) return undefined;
  const [head = '', body = '', tail = ''] = token.split('.');
  const [header, claims] = [head, body].map((part) => {
    const bytes = steps.bytesOf(part);
    return bytes && steps.jsonOf(bytes);
  });
  const signature = steps.bytesOf(tail);
  if (header === undefined || claims === undefined || signature === undefined) return undefined;
  if (!steps.headerPasses(header)) return undefined;
  const parsed = { header, claims, signature, input: `${head}.${body}` };
  const passes =
    steps.isSigned(parsed, await steps.keyOf(parsed, trust)) &&
    steps.issuerPasses(claims, trust) &&
    steps.audiencePasses(claims, trust) &&
    steps.timesPass(claims) &&
    steps.bindingPasses(claims) &&
    steps.rulesPass(claims);
  return passes ? claims : undefined;
}
