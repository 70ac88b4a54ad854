// A group resolver over HTTP: GET with the subject in the URL, a JSON object with the groups back.

import { ConfigError } from '../errors.ts';
import { inconclusive } from '../net/breaker.ts';
import { createJsonCaller } from '../net/json-call.ts';
import { readTls, type TlsOptions, type TlsSettings } from '../net/tls.ts';
import { readEndpointUrl, readTimeout } from '../remote/options.ts';
import { readSecret } from '../secrets/read.ts';
import { checkSecretName, readStore, type SecretReference, type SecretStore } from '../secrets/store.ts';
import type { Duration } from '../values/duration.ts';
import { own } from '../values/json.ts';
import { readObject, readText } from '../values/readers.ts';
import type { GroupResolver } from './resolver.ts';

/** An endpoint that knows groups. */
export interface GroupEndpointOptions {
  /**
   * Https, or http to loopback, with `{sub}` once in its path or query: `https://people.internal/users/{sub}/groups`. A subject is escaped
   * to be one segment or one value, whatever it holds. A 200 with `{ "groups": ["…"] }` has all groups; a 404 does not know the subject.
   */
  readonly url: string;
  /** A bearer token for the endpoint: an entry of a store. Default: none. */
  readonly token?: { readonly name: string; readonly key: string; readonly secrets: SecretStore } | undefined;
  /** For a whole call. Default 2s. */
  readonly timeout?: Duration | undefined;
  /** Permits plain HTTP to other machines. Default false. */
  readonly allowHttp?: boolean | undefined;
  readonly tls?: TlsOptions | undefined;
}

const SUBJECT_HERE = '{sub}';
/** Nobody is called longer. */
const MAX_SUBJECT_LENGTH = 1024;

/** A group endpoint, checked. */
export interface GroupEndpointSettings {
  /** The URL, with `{sub}` where the subject goes. */
  readonly template: string;
  readonly token: { readonly reference: SecretReference; readonly store: SecretStore } | undefined;
  readonly tls: TlsSettings;
  readonly timeoutMs: number;
}

/** Checks the options of an endpoint. Makes nothing that can call it. @throws ConfigError */
export function readGroupEndpoint(options: unknown): GroupEndpointSettings {
  const { url, token, timeout, allowHttp, tls } = readObject(
    options,
    ['url', 'token', 'timeout', 'allowHttp', 'tls'],
    'groups.endpoint',
  );
  return Object.freeze<GroupEndpointSettings>({
    template: readTemplate(url, allowHttp),
    token: token === undefined ? undefined : readToken(token),
    tls: readTls(tls, 'groups.endpoint.tls'),
    timeoutMs: readTimeout(timeout, 'groups.endpoint.timeout'),
  });
}

/** Makes a resolver. Its first call opens a connection. */
export function createGroupEndpoint({
  template,
  token,
  tls,
  timeoutMs,
}: GroupEndpointSettings): GroupResolver {
  const caller = createJsonCaller({ tls, timeoutMs });
  return Object.freeze<GroupResolver>({
    description: 'endpoint',
    async resolve({ subject }, signal) {
      const escaped = escapeSubject(subject);
      if (escaped === undefined) return undefined;
      const headers = token === undefined ? {} : { authorization: `Bearer ${await bearerOf(token, signal)}` };
      const asked = new URL(template.replace(SUBJECT_HERE, () => escaped));
      const { status, json } = await caller.call(asked, { method: 'GET', headers }, signal);
      if (status === 404) return undefined;
      if (status >= 500 || status === 429) throw new Error(`answered with status ${status}`);
      const groups: unknown = json === undefined ? undefined : own(json, 'groups');
      if (!Array.isArray(groups) || !groups.every((group) => typeof group === 'string'))
        throw inconclusive(`answered with status ${status} and no list of groups`);
      return groups;
    },
    close: () => caller.close(),
  });
}

/** @returns undefined for what nobody is called: dots alone are a path of their own, however they are escaped */
function escapeSubject(subject: string): string | undefined {
  if (
    subject === '' ||
    subject.length > MAX_SUBJECT_LENGTH ||
    /^\.+$/.test(subject) ||
    !subject.isWellFormed()
  )
    return undefined;
  return encodeURIComponent(subject).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function readTemplate(value: unknown, allowHttp: unknown): string {
  const path = 'groups.endpoint.url';
  const text = readText(value, path);
  if (text.split(SUBJECT_HERE).length !== 2)
    throw new ConfigError(path, `expected ${SUBJECT_HERE} once, where the subject stands`);
  const at = (subject: string) => readEndpointUrl(text.replace(SUBJECT_HERE, subject), allowHttp, path);
  const [one, other] = [at('a'), at('b')];
  if (one.origin !== other.origin || `${one.pathname}${one.search}` === `${other.pathname}${other.search}`)
    throw new ConfigError(path, `${SUBJECT_HERE} stands in the path or the query, and nowhere else`);
  return text;
}

function readToken(value: unknown): NonNullable<GroupEndpointSettings['token']> {
  const path = 'groups.endpoint.token';
  const { name, key, secrets } = readObject(value, ['name', 'key', 'secrets'], path);
  const reference = {
    name: checkSecretName(readText(name, `${path}.name`), `${path}.name`),
    key: checkSecretName(readText(key, `${path}.key`), `${path}.key`),
  };
  return { reference, store: readStore(secrets, `${path}.secrets`) };
}

async function bearerOf(
  { reference, store }: NonNullable<GroupEndpointSettings['token']>,
  signal: AbortSignal,
): Promise<string> {
  const bytes = await readSecret(store, reference, signal);
  const bearer = Buffer.from(bytes).toString('latin1').trim();
  // Checked here: the error of a header that cannot hold it would quote it.
  if (!/^[\x21-\x7e]+$/.test(bearer)) throw new Error(`the secret ${reference.name} is no bearer token`);
  return bearer;
}
