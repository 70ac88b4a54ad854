// Events of AWS for one request, and the answer that a client gets for what a function returns.

/** A request, with its headers in the order in which the client sent them. */
export interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: string;
}

/** What a client gets. */
export interface Answer {
  readonly status: number;
  readonly challenge: string | undefined;
  readonly body: unknown;
}

const CONTEXT = { requestId: 'r', stage: '$default', identity: { sourceIp: '192.0.2.1' } };

/** All values of each header: names as sent by default. */
function multi({ headers }: Sent, nameOf = (name: string) => name): Record<string, string[]> {
  const all: Record<string, string[]> = {};
  for (const [name, value] of headers) all[nameOf(name)] = [...(all[nameOf(name)] ?? []), value];
  return all;
}
const last = (all: Record<string, string[]>) =>
  Object.fromEntries(Object.entries(all).map(([name, values]) => [name, values.at(-1)]));
const lower = (name: string) => name.toLowerCase();

const v1 = (sent: Sent) => ({
  version: '1.0',
  resource: '/{proxy+}',
  httpMethod: sent.method,
  path: sent.path,
  headers: last(multi(sent)),
  multiValueHeaders: multi(sent),
  queryStringParameters: null,
  multiValueQueryStringParameters: null,
  pathParameters: { proxy: sent.path.slice(1) },
  requestContext: CONTEXT,
  body: sent.body ?? null,
  isBase64Encoded: false,
});

const v2 = ({ method, path, body, ...sent }: Sent) => ({
  version: '2.0',
  routeKey: '$default',
  rawPath: path,
  rawQueryString: '',
  headers: Object.fromEntries(
    Object.entries(multi({ method, path, ...sent }, lower)).map(([name, values]) => [name, values.join(',')]),
  ),
  requestContext: { ...CONTEXT, http: { method, path, sourceIp: '192.0.2.1' } },
  ...(body === undefined ? {} : { body }),
  isBase64Encoded: false,
});

const balancer = (sent: Sent) => ({
  requestContext: { elb: { targetGroupArn: 'arn:aws:elasticloadbalancing:region:1:targetgroup/t/1' } },
  httpMethod: sent.method,
  path: sent.path,
  body: sent.body ?? '',
  isBase64Encoded: false,
});

/** Makers of events. The last one keeps the last value of a header only. */
export const EVENTS = {
  'API Gateway, payload 1.0': v1,
  'API Gateway, payload 2.0': v2,
  'a balancer with multi-value headers': (sent: Sent) => ({
    ...balancer(sent),
    multiValueQueryStringParameters: {},
    multiValueHeaders: multi(sent, lower),
  }),
  'a balancer': (sent: Sent) => ({
    ...balancer(sent),
    queryStringParameters: {},
    headers: last(multi(sent, lower)),
  }),
} as const;

export type Kind = keyof typeof EVENTS;

/** The answer that a client gets. A balancer with multi-value headers reads no others. */
export function answerOf(kind: Kind, result: object): Answer {
  const { statusCode, headers, multiValueHeaders, body, isBase64Encoded } = result as {
    readonly statusCode: number;
    readonly headers?: Record<string, unknown>;
    readonly multiValueHeaders?: Record<string, readonly unknown[]>;
    readonly body?: string;
    readonly isBase64Encoded?: boolean;
  };
  const fromMulti = Object.entries(multiValueHeaders ?? {}).map(([name, values]) => [
    name,
    values.join(', '),
  ]);
  const read = {
    'API Gateway, payload 1.0': [...Object.entries(headers ?? {}), ...fromMulti],
    'API Gateway, payload 2.0': Object.entries(headers ?? {}),
    'a balancer with multi-value headers': fromMulti,
    'a balancer': Object.entries(headers ?? {}),
  }[kind];
  const found = read.find(([name]) => String(name).toLowerCase() === 'www-authenticate');
  const text = isBase64Encoded === true ? Buffer.from(body ?? '', 'base64').toString() : (body ?? '');
  return { status: statusCode, challenge: found?.[1] as string | undefined, body: JSON.parse(text) };
}
