// Reads the last decisions of a running service, for the page. The service decides who may read
// them. Nothing of its answer is trusted: what is not expected is refused, and texts are bounded.
import { once } from 'node:events';
import { Agent, get as getByHttp, type IncomingMessage } from 'node:http';
import { get as getByHttps } from 'node:https';
import type { RecentDecision, RecentDecisions } from '@latchkey/core';
import { codeOf, isLoopback } from '@latchkey/core/tools';
import { Failure, misused } from '../failure.ts';
import { plain } from '../output.ts';

/** A service whose decisions the page shows. */
export interface InspectedService {
  /** Its URL, without a query, for the page. */
  readonly name: string;
  /** Resolves to its decisions, or to what is wrong and what to do. Never rejects. */
  read(): Promise<ServiceAnswer>;
}

/** What became of one reading. */
export type ServiceAnswer =
  | { readonly recent: RecentDecisions; readonly problem?: undefined }
  | { readonly problem: string; readonly recent?: undefined };

/** A hundred decisions, with long issuers and routes. */
const MAX_ANSWER_BYTES = 262_144;
/** Of one issuer, or route. */
const MAX_TEXT = 300;
const MAX_SHOWN = 100;
const ANSWER_MS = 5_000;
const OUTCOMES: readonly unknown[] = ['accepted', 'anonymous', 'refused'];

/**
 * Reads `--service`. Connects when the page asks.
 * @param readToken gives the token that is sent; undefined: none is sent
 * @throws Failure
 */
export function inspectedService(url: string, readToken?: () => Promise<string>): InspectedService {
  if (!URL.canParse(url)) throw misused('--service: expected a URL, such as http://127.0.0.1:3000/decisions');
  const target = new URL(url);
  const { protocol, hostname, username, password, origin, pathname } = target;
  if (username !== '' || password !== '')
    throw misused('--service: expected a URL without a password; give the token in --service-token');
  if (protocol !== 'https:' && !(protocol === 'http:' && isLoopback(hostname)))
    throw misused('--service: expected https, or http to this machine: http://127.0.0.1:3000/decisions');
  const name = plain(`${origin}${pathname}`);
  return {
    name,
    async read() {
      try {
        const token = await readToken?.();
        const { status, body } = await request(target, token);
        if (status !== 200) return { problem: `${name} ${adviceFor(status, token !== undefined)}` };
        const recent = recentIn(body);
        if (recent !== undefined) return { recent };
        return { problem: `${name} gives other data than recentDecisions; check the path` };
      } catch (error) {
        return { problem: `${name} ${reasonOf(error)}` };
      }
    },
  };
}

interface Answer {
  readonly status: number;
  /** Undefined: it is too long. */
  readonly body: string | undefined;
}

/** Redirects are not followed: they could lead the token to another service. */
async function request(url: URL, token: string | undefined): Promise<Answer> {
  const headers = {
    accept: 'application/json',
    'user-agent': 'latchkey',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  const common = { headers, signal: AbortSignal.timeout(ANSWER_MS) };
  // A proxy of the environment would ask its own machine, so http has an agent without one.
  const sent =
    url.protocol === 'http:' ? getByHttp(url, { ...common, agent: new Agent() }) : getByHttps(url, common);
  const [response]: readonly IncomingMessage[] = await once(sent, 'response');
  // What ends the connection later is an error of the response too.
  sent.on('error', () => {});
  if (response === undefined) throw new Error('no answer');
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    // Leaving the loop ends the connection.
    if (length > MAX_ANSWER_BYTES) break;
    chunks.push(chunk);
  }
  const body = length > MAX_ANSWER_BYTES ? undefined : Buffer.concat(chunks).toString('utf8');
  return { status: response.statusCode ?? 0, body };
}

function adviceFor(status: number, hasToken: boolean): string {
  const answered = `answers ${status}; `;
  if (status === 401 || status === 403)
    return hasToken
      ? `${answered}give a token that satisfies the rules of recentDecisions`
      : `${answered}run this command on the machine of the service, without a proxy between them, or give a token in --service-token`;
  if (status === 404) return `${answered}add recentDecisions to the service, and give --service its path`;
  if (status >= 300 && status < 400) return `${answered}give --service the URL that it redirects to`;
  return `${answered}see the log of the service`;
}

function reasonOf(error: unknown): string {
  if (error instanceof Failure) return `was not asked: ${error.message}`;
  const isLate = error instanceof Error && /^(?:Abort|Timeout)Error$/.test(error.name);
  const why = isLate ? `within ${ANSWER_MS / 1000} s` : `(${codeOf(error)})`;
  return `does not answer ${why}; start the service, and check the URL`;
}

/** Reads an answer. @returns undefined if it is not that of `recentDecisions` */
function recentIn(body: string | undefined): RecentDecisions | undefined {
  if (body === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return undefined;
  }
  const { since, total, decisions }: { readonly [name: string]: unknown } = Object(value);
  if (!isTime(since) || !isCount(total) || !Array.isArray(decisions)) return undefined;
  const read = decisions.slice(0, MAX_SHOWN).map(decisionIn);
  const known = read.filter((one) => one !== undefined);
  return known.length === read.length ? { since, total, decisions: known } : undefined;
}

function decisionIn(value: unknown): RecentDecision | undefined {
  const given: { readonly [name: string]: unknown } = Object(value);
  const { time, outcome, status, durationMs, cached } = given;
  const texts = [given.code, given.issuer, given.route, given.framework];
  if (!isTime(time) || !isOutcome(outcome) || !isCount(durationMs) || typeof cached !== 'boolean')
    return undefined;
  if (status !== undefined && !isCount(status)) return undefined;
  if (!texts.every((text) => text === undefined || typeof text === 'string')) return undefined;
  const [code, issuer, route, framework] = texts.map((text) => text && plain(text.slice(0, MAX_TEXT)));
  return {
    ...{ time, outcome, code: code as RecentDecision['code'], status, issuer },
    ...{ route, framework, durationMs, cached },
  };
}

function isOutcome(value: unknown): value is RecentDecision['outcome'] {
  return OUTCOMES.includes(value);
}

function isTime(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    /^\d{4}-\d{2}-\d{2}T[\d:.]{8,12}Z$/.test(value) &&
    !Number.isNaN(Date.parse(value))
  );
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
