// A group resolver over HTTP: a GET with the subject in the URL, answered by a JSON object with the
// groups. Which resolver is called, and when, is in groups.ts.

import { answeredFailure, inconclusive } from '../net/breaker.ts';
import { createJsonCaller } from '../net/json-call.ts';
import { leavesSegment } from '../net/paths.ts';
import { readSecret } from '../secrets/read.ts';
import { own } from '../values/json.ts';
import { type GroupEndpointSettings, SUBJECT_HERE } from './options.ts';
import type { GroupResolver } from './resolver.ts';

/** Longer subjects are refused without a call. */
const MAX_SUBJECT_LENGTH = 1024;

/** Makes a resolver for an endpoint. Makes no call before `resolve()`. */
export function createGroupEndpoint({
  template,
  token,
  timeoutMs,
  tls,
  proxy,
}: GroupEndpointSettings): GroupResolver {
  const caller = createJsonCaller({ tls, proxy, timeoutMs });
  return Object.freeze<GroupResolver>({
    description: 'endpoint',
    async resolve({ subject }, signal) {
      const escaped = escapeSubject(subject);
      if (escaped === undefined) return undefined;
      const headers = token === undefined ? {} : { authorization: `Bearer ${await bearerOf(token, signal)}` };
      const asked = new URL(template.replace(SUBJECT_HERE, () => escaped));
      const { status, json } = await caller.call(asked, { method: 'GET', headers }, signal);
      if (status === 404) return undefined;
      if (status >= 500 || status === 429) throw answeredFailure(`answered with status ${status}`);
      const groups: unknown = json === undefined ? undefined : own(json, 'groups');
      if (!Array.isArray(groups) || !groups.every((group) => typeof group === 'string'))
        throw inconclusive(`answered with status ${status} and no list of groups`);
      return groups;
    },
    close: () => caller.close(),
  });
}

/**
 * Escapes the subject as one segment of a path.
 * @returns undefined for a subject that cannot be one segment: dots have a meaning in paths, and
 *   some servers decode before they resolve dots
 */
function escapeSubject(subject: string): string | undefined {
  if (
    subject === '' ||
    subject.length > MAX_SUBJECT_LENGTH ||
    leavesSegment(subject) ||
    !subject.isWellFormed()
  )
    return undefined;
  return encodeURIComponent(subject).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

async function bearerOf(
  { reference, store }: NonNullable<GroupEndpointSettings['token']>,
  signal: AbortSignal,
): Promise<string> {
  const bytes = await readSecret(store, reference, signal);
  const bearer = Buffer.from(bytes).toString('latin1').trim();
  // Checked here: for an invalid header value, the error of fetch would quote the token.
  if (!/^[\x21-\x7e]+$/.test(bearer)) throw new Error(`the secret ${reference.name} is not a bearer token`);
  return bearer;
}
