// The two errors of the library, and the table of the answer to each refusal. Nothing here decides
// whether a request is refused.
import './require-node.ts';
import { challenges, type DpopChallenge, type ProtectionSpace } from './challenge.ts';
import { causeText, plain } from './plain-text.ts';

/**
 * Every reason to refuse a request, with the status of the answer. The list is complete. Each
 * comment says what the code means and, in its remarks, what the operator does next: docs/errors.md
 * is generated from them.
 */
export interface AuthErrorCodes {
  /**
   * The request has no token, and the route needs one.
   * @remarks The client has to send a token. If many clients do not, check `tokenFrom`, and look
   *   for a proxy that drops the header.
   */
  readonly credentials_missing: 401;
  /**
   * The place for the token contains something else, such as a scheme without a token.
   * @remarks Check how the client builds the header: `Bearer`, one space, one token.
   */
  readonly credentials_malformed: 400;
  /**
   * The request has several tokens, or the same header, cookie or parameter twice.
   * @remarks Look for a proxy or a client that adds a second header, cookie or parameter.
   */
  readonly credentials_ambiguous: 400;
  /**
   * The token is not a signed JWT in the compact form, or it is longer than `maxTokenBytes`.
   * @remarks Check what the client sends: it may be an opaque, encrypted or truncated token.
   */
  readonly token_malformed: 401;
  /**
   * The token names an algorithm that is not supported, or that its key or keyset does not allow.
   * @remarks Compare `alg` of the token with `allowedAlgorithms` and with `alg` of the key.
   */
  readonly token_algorithm_refused: 401;
  /**
   * The options do not allow the header `typ` of the token, or introspection says that it is no
   * bearer token.
   * @remarks If the service is meant to accept tokens of this type, add the type to `typ`. For
   *   introspection, `detail` names `token_type`.
   */
  readonly token_type_refused: 401;
  /**
   * No keyset is configured for the issuer of the token, or the route does not accept that issuer.
   * @remarks Compare `iss` with `issuer` of the keysets, character by character.
   */
  readonly token_issuer_untrusted: 401;
  /**
   * The keysets of the issuer have no key that fits the token.
   * @remarks Check that the issuer publishes the key that it signs with; `report()` lists the known
   *   key ids.
   */
  readonly token_key_unknown: 401;
  /**
   * The token was changed after it was signed, or it was signed with another key.
   * @remarks Check that issuer and keys belong to the same environment. Many at once may be an
   *   attack.
   */
  readonly token_signature_invalid: 401;
  /**
   * The claim `aud` does not name this service.
   * @remarks Compare `aud` with `audience`: the client may have a token for another service.
   */
  readonly token_audience_mismatch: 401;
  /**
   * The time in `exp` has passed, or the token is older than `maxTokenAge`.
   * @remarks The client has to get a new token. If new tokens are refused too, compare the clocks.
   */
  readonly token_expired: 401;
  /**
   * The time in `nbf` or `iat` is in the future.
   * @remarks Compare the clocks of issuer and service; `clockSkew` allows up to 60s.
   */
  readonly token_not_yet_valid: 401;
  /**
   * A registered claim is missing or malformed, or the token does not satisfy a rule for all
   * tokens.
   * @remarks `detail` names the claim. Ask the issuer for it, or change the option or the rule.
   */
  readonly token_claims_invalid: 401;
  /**
   * The remote endpoint refused the token, or a source of groups does not know its subject.
   * @remarks Look in the log of the endpoint, or of the source of groups that `detail` names.
   */
  readonly token_rejected: 401;
  /**
   * The token is bound to a key and came as a bearer token or with the proof of another key, it is
   * bound to a certificate that the client does not have, or it is not bound and had to be: see
   * `dpop`, `mutualTls` and `senderConstrained`.
   * @remarks `detail` says which. The client has to send a token that is bound to a key as
   *   `Authorization: DPoP …`, with a proof of its key (RFC 9449 §7), and one that is bound to a
   *   certificate over TLS with this certificate (RFC 8705 §3). If a proxy ends TLS, see
   *   `mutualTls.header`. Many of these at once may be stolen tokens.
   */
  readonly token_binding_mismatch: 401;
  /**
   * The proof of the key of the token is missing, malformed, for another request, too old, or was
   * used before.
   * @remarks `detail` names the part. For `htu`, compare `dpop.publicUrl` with the URL that clients
   *   use; for `iat`, compare the clocks. A proof that was used before may be an attack.
   */
  readonly proof_invalid: 401;
  /**
   * The proof of the key of the token has no nonce of the service, or an old one: see `dpop.nonce`.
   * @remarks Nothing, if it is once for each client and nonce: the client tries again with the
   *   nonce in `DPoP-Nonce` (RFC 9449 §9). If a client never succeeds, give all processes the same
   *   `dpop.nonce.secret`.
   */
  readonly proof_nonce_required: 401;
  /**
   * The token was revoked: itself, or all tokens of its session, subject, client or issuer.
   * @remarks `detail` says which. The client has to get a new token. Many of these at once may be a
   *   stolen token that is still tried.
   */
  readonly token_revoked: 401;
  /**
   * The token is valid, but lacks a scope that the route requires.
   * @remarks The client has to ask its issuer for the scopes that the challenge names.
   */
  readonly scope_insufficient: 403;
  /**
   * The token is valid, but another claim does not satisfy the rules of the route.
   * @remarks `latchkey explain` shows each rule and the claims of the token. Grant the claim, or
   *   change the rule.
   */
  readonly claims_insufficient: 403;
  /**
   * The token is valid, but the user must authenticate again, or in another way: see `acr` and
   * `maxAge` of the route.
   * @remarks The client has to send the user to its authorization server with `acr_values` and
   *   `max_age` of the challenge (RFC 9470 §4). If new tokens are refused too, `detail` says which
   *   of `acr` and `auth_time` the issuer does not put into them.
   */
  readonly authentication_insufficient: 401;
  /**
   * The token was in a cookie, and a page of another origin may have sent the request.
   * @remarks If the page is yours, add its origin to `allowedOrigins`.
   */
  readonly origin_refused: 403;
  /**
   * The request did not come by https, or nothing says that it did, and `requireSecureTransport` is
   * set.
   * @remarks If a proxy ends TLS, set the option of the framework that trusts the proxy; `detail`
   *   names it. The token has been sent in clear: have the client get a new one.
   */
  readonly transport_insecure: 403;
  /**
   * The keys of the issuer could not be fetched, so the token could not be checked.
   * @remarks Check the source of the keys; the event `latchkey:keyset:failed` has the cause.
   */
  readonly keyset_unavailable: 503;
  /**
   * The remote endpoint did not say whether the token is valid.
   * @remarks Check the endpoint; `cause` says how it failed. After five failures it is asked once a
   *   second.
   */
  readonly remote_unavailable: 503;
  /**
   * A source of groups did not say which groups the subject has.
   * @remarks Check the source of groups that `detail` names; `cause` says how it failed.
   */
  readonly groups_unavailable: 503;
  /**
   * The store of used proofs did not say within 250 ms whether a proof is new, or the memory of
   * used proofs is full.
   * @remarks Check the `replayStore`; `cause` says how it failed. If the memory is full, set
   *   `dpop.replayEntries`.
   */
  readonly replay_unavailable: 503;
  /**
   * The list of revocations is older than `revocation.maxStale`, was never read, or is full, so a
   * revoked token could not be told from others.
   * @remarks `detail` says which. Check the file or the feed; the event
   *   `latchkey:revocation:failed` has the cause. If the list is full, raise `revocation.entries`.
   */
  readonly revocation_unavailable: 503;
  /**
   * The authorization server issues no token for a call on behalf of the caller: see
   * `createExchange`.
   * @remarks `detail` has the error of the server. `invalid_grant` and `invalid_request` are about
   *   the token of the caller; `invalid_target` and `invalid_scope` are about `audience`,
   *   `resource` and `scope` of the exchange. Compare them with what the server permits this
   *   client.
   */
  readonly exchange_refused: 403;
  /**
   * The authorization server did not say whether the service may act for the caller, or its answer
   * is not what was asked: see `createExchange`.
   * @remarks Check the server; `cause` says how it failed. For `invalid_client` and
   *   `unauthorized_client`, check `clientAuthentication`. After five failures it is asked once a
   *   second.
   */
  readonly exchange_unavailable: 503;
}

/** Why a request was refused. Each code is described at its member in `AuthErrorCodes`. */
export type AuthErrorCode = keyof AuthErrorCodes;

interface Refusal<Status extends number = AuthErrorCodes[AuthErrorCode]> {
  readonly status: Status;
  /**
   * The OAuth error code, RFC 6750 §3.1, RFC 9470 §3, RFC 9449 §7.1; absent if the RFC wants none
   * or the answer has no challenge.
   */
  readonly error?:
    | 'invalid_request'
    | 'invalid_dpop_proof'
    | 'use_dpop_nonce'
    | 'invalid_token'
    | 'insufficient_scope'
    | 'insufficient_user_authentication';
  /** Constant, so that it leaks nothing. */
  readonly message: string;
  /** The scheme whose challenge has the error. Default: that of the token. */
  readonly scheme?: 'DPoP';
}

const badRequest = (message: string) => ({ status: 400, error: 'invalid_request', message }) as const;
const badToken = (message: string) => ({ status: 401, error: 'invalid_token', message }) as const;
const UNAVAILABLE = { status: 503, message: 'The token cannot be checked at the moment' } as const;

const REFUSALS: { readonly [Code in AuthErrorCode]: Refusal<AuthErrorCodes[Code]> } = {
  credentials_missing: { status: 401, message: 'A bearer token is required' },
  credentials_malformed: badRequest('The credentials are malformed'),
  credentials_ambiguous: badRequest('More than one credential was presented'),
  token_malformed: badToken('The token is malformed'),
  token_algorithm_refused: badToken('The token is signed with an algorithm that is not accepted'),
  token_type_refused: badToken('The token is of a type that is not accepted'),
  token_issuer_untrusted: badToken('The token is from an issuer that is not trusted'),
  token_key_unknown: badToken('The token is signed with a key that is not known'),
  token_signature_invalid: badToken('The signature of the token is not valid'),
  token_audience_mismatch: badToken('The token is for another audience'),
  token_expired: badToken('The token has expired'),
  token_not_yet_valid: badToken('The token is not valid yet'),
  token_claims_invalid: badToken('The claims of the token are not acceptable'),
  token_rejected: badToken('The token was rejected'),
  token_binding_mismatch: badToken('The token is not bound to the key of the sender'),
  proof_invalid: {
    status: 401,
    error: 'invalid_dpop_proof',
    message: 'The proof of possession is not valid',
    scheme: 'DPoP',
  },
  proof_nonce_required: {
    status: 401,
    error: 'use_dpop_nonce',
    message: 'The proof of possession needs a nonce of the service',
    scheme: 'DPoP',
  },
  token_revoked: badToken('The token has been revoked'),
  scope_insufficient: {
    status: 403,
    error: 'insufficient_scope',
    message: 'The token lacks a scope that this request needs',
  },
  // No error code: a client would ask for more scope, which does not help.
  claims_insufficient: { status: 403, message: 'The token lacks a claim that this request needs' },
  authentication_insufficient: {
    status: 401,
    error: 'insufficient_user_authentication',
    message: 'A stronger or more recent authentication of the user is required',
  },
  origin_refused: { status: 403, message: 'The request came from another origin' },
  transport_insecure: { status: 403, message: 'The request must come by https' },
  keyset_unavailable: UNAVAILABLE,
  remote_unavailable: UNAVAILABLE,
  groups_unavailable: UNAVAILABLE,
  replay_unavailable: UNAVAILABLE,
  revocation_unavailable: UNAVAILABLE,
  // No error code: another token of the same caller would not help.
  exchange_refused: { status: 403, message: 'The service may not act for the caller in this request' },
  exchange_unavailable: { status: 503, message: 'The service cannot act for the caller at the moment' },
};

/** All codes, for tests and tables. */
export const authErrorCodes: readonly AuthErrorCode[] = Object.freeze(
  Object.keys(REFUSALS) as AuthErrorCode[],
);

/**
 * The context of a refusal: `detail` and `cause` are for logs, all others are for the answer.
 */
export interface AuthErrorContext {
  /**
   * For logs only. Never contains a token, a signature, a key, or a claim other than the start of
   * `iss`, in printable characters.
   */
  readonly detail?: string | undefined;
  readonly cause?: unknown;
  readonly realm?: string | undefined;
  /** Scope names from configuration, space-delimited, for the challenge. */
  readonly scope?: string | undefined;
  /** The URL of the metadata of the protected resource, RFC 9728 §5.1, for the challenge. */
  readonly resourceMetadata?: string | undefined;
  /** Lets scripts of other origins read the challenge: `Access-Control-Expose-Headers`. */
  readonly isExposed?: boolean | undefined;
  /** What the challenge says of DPoP, from configuration, RFC 9449 §7.1. */
  readonly dpop?: DpopChallenge | undefined;
  /** The scheme by which the token came, whose challenge has the error. Default: Bearer. */
  readonly scheme?: 'DPoP' | undefined;
  /** For the header `DPoP-Nonce` of a 401, RFC 9449 §9. */
  readonly nonce?: string | undefined;
  /** `acr` values from configuration, space-delimited, RFC 9470 §3, for the challenge. */
  readonly acrValues?: string | undefined;
  /** From configuration: whole seconds, RFC 9470 §3, for the challenge. */
  readonly maxAgeSeconds?: number | undefined;
  /** Whole seconds, for 503 answers. Default 5. */
  readonly retryAfterSeconds?: number | undefined;
}

/** The members of the context that are parameters of the challenge. */
export type ChallengeContext = Pick<
  AuthErrorContext,
  | 'realm'
  | 'scope'
  | 'resourceMetadata'
  | 'acrValues'
  | 'maxAgeSeconds'
  | 'isExposed'
  | 'dpop'
  | 'scheme'
  | 'nonce'
>;

// Every member is an own one, so that none is read from a polluted prototype.
const NO_CONTEXT: AuthErrorContext = Object.freeze({
  detail: undefined,
  cause: undefined,
  realm: undefined,
  scope: undefined,
  resourceMetadata: undefined,
  isExposed: undefined,
  dpop: undefined,
  scheme: undefined,
  nonce: undefined,
  acrValues: undefined,
  maxAgeSeconds: undefined,
  retryAfterSeconds: undefined,
});

const INSPECT: unique symbol = Symbol.for('nodejs.util.inspect.custom') as never;
// Registered symbols are the same in all copies of this package, so that `instanceof` holds for the
// errors of another copy too. Parsed JSON has no symbols. In types they are different, so that no
// type of a copy may require one: its values would not fit the types of another copy.
const CONTEXT: unique symbol = Symbol.for('@latchkey/refusal');
const BRAND: unique symbol = Symbol.for('@latchkey/AuthError');
const CONFIG: unique symbol = Symbol.for('@latchkey/ConfigError');

/**
 * A refused request. Has the members that the error handlers of all frameworks read: `status`,
 * `statusCode` and `headers`. The message is constant for each code. `detail` and `cause` are for
 * logs only: `toJSON()` leaves both out.
 */
export class AuthError extends Error {
  override readonly name = 'AuthError';
  readonly code: AuthErrorCode;
  readonly status: number;
  /** The same as `status`, under the name that some frameworks read. */
  readonly statusCode: number;
  /** The challenge, or `Retry-After` on 503. `Cache-Control: no-store` is always set. */
  readonly headers: Readonly<Record<string, string>>;
  /** Tells frameworks that the message may be sent to the client. */
  readonly expose = true;
  readonly detail: string | undefined;
  readonly [CONTEXT]?: AuthErrorContext;

  constructor(code: AuthErrorCode, given: AuthErrorContext = NO_CONTEXT) {
    const context = { ...NO_CONTEXT, ...given };
    const refusal: Refusal = REFUSALS[code];
    // No stack trace: a refusal is an answer and not a fault, a trace costs more than the check
    // itself, and development error pages print it.
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    super(refusal.message, context.cause === undefined ? undefined : { cause: context.cause });
    Error.stackTraceLimit = limit;
    this.code = code;
    this.status = refusal.status;
    this.statusCode = refusal.status;
    this.detail = context.detail;
    this.headers = answerHeaders(code, refusal, context);
    this[CONTEXT] = context;
  }

  /** True for an AuthError of another copy of this package too. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: a class that extends this one inherits it.
    return isA(this, AuthError, BRAND, value);
  }

  static {
    Object.defineProperties(AuthError.prototype, {
      [BRAND]: { value: true },
      [INSPECT]: { value: lineOf },
    });
  }

  /** Returns the same refusal with other parameters in its challenge. Undefined ones stay. */
  withChallenge(parameters: ChallengeContext): AuthError {
    const context: Record<string, unknown> = { ...this[CONTEXT] };
    for (const [name, value] of Object.entries(parameters)) if (value !== undefined) context[name] = value;
    return new AuthError(this.code, context);
  }

  /** The part that any client may see. */
  toJSON(): { readonly code: AuthErrorCode; readonly status: number; readonly message: string } {
    return { code: this.code, status: this.status, message: this.message };
  }
}

/** One line for logs, as in `console.log`: code, status, detail and causes. */
function lineOf(this: AuthError): string {
  const { code, status, detail, cause } = this;
  const causes = cause === undefined ? undefined : causeText(cause);
  return plain(
    [`AuthError ${code} ${status}`, detail, causes].filter((part) => part !== undefined).join(': '),
  );
}

/**
 * True for an AuthError, also for one from another copy of this package.
 * @example
 * ```ts
 * try {
 *   await authenticator.authenticate(request);
 * } catch (error) {
 *   if (!isAuthError(error)) throw error;
 *   response.writeHead(error.status, error.headers).end(JSON.stringify(error));
 * }
 * ```
 */
export function isAuthError(value: unknown): value is AuthError {
  return typeof value === 'object' && value !== null && BRAND in value;
}

/** Returns the refusal with the challenge of a protection space. */
export function inSpace(refusal: AuthError, space: ProtectionSpace | undefined): AuthError {
  return space === undefined ? refusal : refusal.withChallenge(space);
}

/** Returns the scopes that the challenge of a refusal names. */
export function challengedScopes({ [CONTEXT]: context }: AuthError): readonly string[] {
  return context?.scope?.split(' ') ?? [];
}

/** Returns the same refusal whose detail begins with the name of its source. */
export function fromSource(error: AuthError, source: string): AuthError {
  return withDetail(error, `${source}: ${error.detail ?? error.message}`);
}

/** Returns the same refusal with another detail. */
export function withDetail(error: AuthError, detail: string): AuthError {
  const { [CONTEXT]: context } = error;
  // An error that only looks like a refusal of this package has no context.
  return context === undefined ? error : new AuthError(error.code, { ...context, detail });
}

/** Returns the refusal that was thrown. @throws anything else that was thrown, unchanged */
export function refusalIn(thrown: unknown): AuthError {
  if (isAuthError(thrown)) return thrown;
  throw thrown;
}

/**
 * Wraps a thrown value that is not an Error. Frameworks treat a rejection with nothing, or with a
 * word such as `route`, as permission to continue.
 */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error
    ? thrown
    : new Error('a non-Error value was thrown; see cause', { cause: thrown });
}

/** A place in a file. Lines and columns count from 1. */
export interface FilePlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/**
 * Options that cannot be used. Thrown at start; during a request only for a mistake that cannot be
 * seen before, such as `requireClaims` without `authenticate`.
 */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  /** The path of the faulty option, as written: `keySets[1].jwksUrl`. */
  readonly path: string;
  /** What is wrong, and how to fix it. */
  readonly problem: string;
  /** The position in the file, for options from a file. */
  readonly place: FilePlace | undefined;

  constructor(path: string, problem: string, options: ErrorOptions & { readonly place?: FilePlace } = {}) {
    const { place, ...rest } = options;
    const from = place === undefined ? [] : [`${place.file}:${place.line}:${place.column}`];
    const limit = Error.stackTraceLimit;
    // Our frames come first, and must not leave those of the application out.
    Error.stackTraceLimit = limit * 4;
    super([...from, path, problem].filter((part) => part !== '').join(': '), rest);
    Error.stackTraceLimit = limit;
    this.stack = fromCaller(this.stack ?? '', limit);
    this.path = path;
    this.problem = problem;
    this.place = place;
    // The message has all of them, so that a log need not repeat them.
    for (const field of ['name', 'path', 'problem', 'place'])
      Object.defineProperty(this, field, { enumerable: false });
  }

  static {
    Object.defineProperty(ConfigError.prototype, CONFIG, { value: true });
  }

  /** True for a ConfigError of another copy of this package too. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: a class that extends this one inherits it.
    return isA(this, ConfigError, CONFIG, value);
  }
}

const OWN_FRAME = /[\\/]node_modules[\\/]@latchkey[\\/]/;

/**
 * Returns a stack trace that begins with the code that called this package. One without such code
 * stays as it is.
 * @param limit how many frames to keep
 */
export function fromCaller(stack: string, limit: number): string {
  const lines = stack.split('\n');
  const isFrame = (line: string) => /^\s+at /.test(line);
  const frames = lines.filter(isFrame);
  const caller = frames.findIndex((frame) => !OWN_FRAME.test(frame));
  const kept = frames.slice(Math.max(caller, 0)).slice(0, limit);
  return [...lines.filter((line) => !isFrame(line)), ...kept].join('\n');
}

/** `instanceof` by the brand; by the prototype for a class that extends ours. */
function isA(asked: unknown, ours: unknown, brand: symbol, value: unknown): boolean {
  return asked === ours
    ? typeof value === 'object' && value !== null && brand in value
    : Function.prototype[Symbol.hasInstance].call(asked, value);
}

// Most refusals have only a code, and a client with bad tokens causes many. Their headers are
// frozen and shared.
const PLAIN_HEADERS: ReadonlyMap<AuthErrorCode, Readonly<Record<string, string>>> = new Map(
  authErrorCodes.map((code) => [code, makeHeaders(code, REFUSALS[code], {})]),
);

function answerHeaders(
  code: AuthErrorCode,
  refusal: Refusal,
  context: AuthErrorContext,
): Readonly<Record<string, string>> {
  const { detail: _detail, cause: _cause, ...ofAnswer } = context;
  const isPlain = Object.values(ofAnswer).every((value) => value === undefined);
  return (isPlain ? PLAIN_HEADERS.get(code) : undefined) ?? makeHeaders(code, refusal, context);
}

function makeHeaders(
  code: AuthErrorCode,
  refusal: Refusal,
  context: AuthErrorContext,
): Readonly<Record<string, string>> {
  const headers: Record<string, string> = { 'Cache-Control': 'no-store' };
  if (refusal.status === 503) {
    headers['Retry-After'] = retryAfter(context.retryAfterSeconds);
  } else if (code !== 'origin_refused' && code !== 'transport_insecure') {
    const parameters = {
      realm: context.realm,
      error: refusal.error,
      // RFC 6750 §3.1: without a token in the request, no error code and no other error
      // information.
      description: refusal.error === undefined ? undefined : refusal.message,
      scope: context.scope,
      resourceMetadata: context.resourceMetadata,
      acrValues: context.acrValues,
      maxAgeSeconds: context.maxAgeSeconds,
    };
    const scheme = refusal.scheme ?? context.scheme;
    headers['WWW-Authenticate'] = challenges(parameters, context.dpop, scheme);
    const nonce = refusal.scheme === 'DPoP' ? context.nonce : undefined;
    if (nonce !== undefined) headers['DPoP-Nonce'] = nonce;
    if (context.isExposed === true)
      headers['Access-Control-Expose-Headers'] =
        nonce === undefined ? 'WWW-Authenticate' : 'WWW-Authenticate, DPoP-Nonce';
  }
  return Object.freeze(headers);
}

/** delay-seconds, RFC 9110 §10.2.3: a whole number, at least one. */
function retryAfter(seconds = 5): string {
  return String(Number.isFinite(seconds) ? Math.max(1, Math.ceil(seconds)) : 5);
}
