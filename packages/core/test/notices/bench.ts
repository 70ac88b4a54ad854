// A service with a receiver of events, and a provider that signs tokens for it.
import {
  createClock,
  generateSigningKey,
  type MintClaims,
  mint,
  type SigningKey,
  type TestClock,
} from '@latchkey/testing';
import { onTestFinished } from 'vitest';
import { type Authenticator, createAuthenticator } from '../../src/decision/authenticator.ts';
import type { AuthenticatorOptions } from '../../src/decision/options.ts';
import type { EventAnswer } from '../../src/notices/answers.ts';
import type { EventReceiverOptions, ReceivedEvent } from '../../src/notices/options.ts';
import { createEventReceiver, type EventReceiver } from '../../src/notices/receiver.ts';
import type { JsonObject } from '../../src/values/json.ts';

export const ISSUER = 'https://login.example.com';
export const API = 'https://api.example.com';
export const CLIENT = 'web';
export const EVENTS = 'https://api.example.com/events';
export const LOGOUT = 'http://schemas.openid.net/event/backchannel-logout';
export const CAEP = 'https://schemas.openid.net/secevent/caep/event-type';
export const RISC = 'https://schemas.openid.net/secevent/risc/event-type';

type Header = { readonly typ?: string | undefined; readonly alg?: string };

export interface Bench {
  readonly clock: TestClock;
  readonly key: SigningKey;
  readonly authenticator: Authenticator;
  readonly receiver: EventReceiver;
  /** What `onEvent` was told. */
  readonly told: ReceivedEvent[];
  /** The time of the clock, in seconds. */
  now(): number;
  /** A logout token of a session of alice. */
  logout(claims?: MintClaims, header?: Header): Promise<string>;
  /** A security event token with one event. */
  event(type: string, claims?: MintClaims, payload?: JsonObject, header?: Header): Promise<string>;
  /** An access token of alice. */
  access(claims?: MintClaims): Promise<string>;
  send(token: string): Promise<EventAnswer>;
  push(token: string): Promise<EventAnswer>;
  /** `accepted`, or the code of the refusal. */
  ask(token: string): Promise<string>;
}

/** The options of a bench. */
export interface BenchOptions {
  readonly options?: Partial<AuthenticatorOptions>;
  readonly receiver?: Partial<EventReceiverOptions>;
  /** More keysets of the service. */
  readonly others?: readonly { readonly issuer: string; readonly key: SigningKey }[];
}

/** Sends a body to a receiver. */
export const form = (token: string) => ({
  contentType: 'application/x-www-form-urlencoded',
  body: new URLSearchParams({ logout_token: token }).toString(),
});

export const pushed = (token: string) => ({ contentType: 'application/secevent+jwt', body: token });

/** Makes a service and its provider. */
export async function createBench({
  options = {},
  receiver = {},
  others = [],
}: BenchOptions = {}): Promise<Bench> {
  const clock = createClock(1_900_000_000_000);
  const key = await generateSigningKey('ES256');
  const authenticator = createAuthenticator({
    keySets: [{ issuer: ISSUER, key }, ...others].map((one) => ({
      issuer: one.issuer,
      jwks: { keys: [one.key.publicJwk] },
    })),
    audience: API,
    revocation: {},
    clock,
    ...options,
  });
  const told: ReceivedEvent[] = [];
  const made = createEventReceiver(authenticator, {
    logout: { clientId: CLIENT },
    securityEvents: { audience: EVENTS },
    onEvent: (event) => void told.push(event),
    ...receiver,
  });
  onTestFinished(async () => {
    await made.close();
    await authenticator.close();
  });
  const now = () => Math.floor(clock.now() / 1000);
  const jti = () => crypto.randomUUID();
  return {
    clock,
    key,
    authenticator,
    receiver: made,
    told,
    now,
    logout: (claims = {}, header = {}) => {
      const common = { iss: ISSUER, aud: CLIENT, iat: now(), exp: now() + 120, jti: jti() };
      const all = { ...common, sub: 'alice', sid: 's1', events: { [LOGOUT]: {} }, ...claims };
      return mint(key, all, { typ: 'logout+jwt', ...header });
    },
    event: (type, claims = {}, payload = {}, header = {}) => {
      const common = { iss: ISSUER, aud: EVENTS, iat: now(), jti: jti(), events: { [type]: payload } };
      return mint(key, { ...common, ...claims }, { typ: 'secevent+jwt', ...header });
    },
    access: (claims = {}) => {
      const common = { iss: ISSUER, aud: API, iat: now(), exp: now() + 3600 };
      return mint(key, { ...common, sub: 'alice', sid: 's1', ...claims });
    },
    send: (token) => made.receive(form(token)),
    push: (token) => made.receive(pushed(token)),
    async ask(token) {
      try {
        await authenticator.verify(token);
        return 'accepted';
      } catch (error) {
        return String(Reflect.get(Object(error), 'code'));
      }
    },
  };
}
