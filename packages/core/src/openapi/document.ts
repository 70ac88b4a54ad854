// Writes what routes require into an OpenAPI document. Pure: the given document does not change.
import { marksOfReport, type RouteReport } from '../adapter/route-report.ts';
import { ConfigError } from '../errors.ts';
import { argument, isPlainObject, readChoice, readObject, readText } from '../values/readers.ts';
import { guardsOf } from './guards.ts';
import { keyOfTemplate, parametersIn, templatesOf } from './paths.ts';
import { responsesFor } from './responses.ts';
import { schemeNames } from './schemes.ts';
import { securityOf, type Writing } from './security.ts';
import type { OpenApiDocument, OpenApiOperation, OpenApiOptions, OpenApiParts } from './types.ts';
import { wordsFor } from './words.ts';

/** The operations of a path in OpenAPI, and those that `ALL` means. */
const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace', 'query'] as const;
const EVERY = METHODS.slice(0, 7);

const BODY = {
  type: 'object',
  description: 'Why a request was refused.',
  required: ['code', 'status', 'message'],
  properties: {
    code: { type: 'string', description: 'The code of the refusal.', example: 'credentials_missing' },
    status: { type: 'integer', description: 'The status of the answer.' },
    message: { type: 'string', description: 'Constant for each code.' },
  },
};

/**
 * Writes into an OpenAPI document what each of its operations requires, from the same compiled
 * access that decides: `security`, the responses 400, 401, 403 and 503, and a description.
 * Responses that an operation has already stay. An operation without a decided route keeps its
 * `security`.
 * @param routes what `routes(app)` of an adapter, or `reportAccess`, returns
 * @returns a new document; the given one does not change
 * @throws ConfigError for a document that is not OpenAPI 3, and for an operation without a decided
 *   route that does not have `security` either
 * @example
 * ```ts
 * const written = { openapi: '3.1.0', paths: { '/orders/{id}': { get: { responses: {} } } } };
 * const document = addToOpenApi(written, [
 *   reportAccess({ method: 'GET', path: '/orders/{id}' }, authenticator, { audience: 'orders' }),
 * ]);
 * ```
 */
export function addToOpenApi<D extends object>(
  document: D,
  routes: readonly RouteReport[],
  ...options: readonly [options?: OpenApiOptions]
): D {
  const { body, mediaType, rules } = readOpenApiOptions(argument(options, 'openapi', {}));
  const given = readDocument(document);
  const isModern = !given.openapi.startsWith('3.0');
  const components = { ...given.components };
  const names = schemeNames(components.securitySchemes);
  const schemas = schemeNames(components.schemas);
  const writing: Writing = { names, isModern };
  const find = finderOf(routes, given);
  let schema: string | undefined;
  const content = () => {
    schema ??= nameOfSchema(schemas, body ?? BODY);
    return { [mediaType]: { schema: { $ref: `#/components/schemas/${schema}` } } };
  };

  function operation(one: OpenApiOperation, method: string, path: string): OpenApiOperation {
    const report = find(method, path);
    const isDecided = report !== undefined && report.requirement !== 'UNDECIDED';
    if (!isDecided) {
      if (one.security !== undefined || given.security !== undefined) return one;
      const name = `${method.toUpperCase()} ${path}`;
      const why = report === undefined ? 'is not in the route report' : 'is undecided';
      throw new ConfigError(name, `${why}; give its operation \`security\`, or leave it out of the document`);
    }
    if (report.requirement === 'public') return { ...one, security: [] };
    const guards = guardsOf(passedOf(report));
    const needed = securityOf(guards, writing);
    const words = wordsFor(guards, report.requirement, rules);
    return {
      ...one,
      description: one.description === undefined ? words : `${one.description}\n\n${words}`,
      security: report.requirement === 'token' ? [...needed] : [{}, ...needed],
      responses: { ...responsesFor(guards, content()), ...one.responses },
    };
  }

  const paths = Object.fromEntries(
    Object.entries(given.paths ?? {}).map(([path, item]) => [
      path,
      Object.fromEntries(
        Object.entries(item ?? {}).map(([method, one]) => [
          method,
          isMethod(method) ? operation(one as OpenApiOperation, method, path) : one,
        ]),
      ),
    ]),
  );
  components.securitySchemes = names.all;
  if (schema !== undefined) components.schemas = schemas.all;
  return { ...document, paths, components };
}

/**
 * Describes routes as the members `components` and `paths` of an OpenAPI document: what each
 * requires, and its refusals. Add what the routes do, or write them into a document of your own
 * with `addToOpenApi`. Undecided routes, and paths that OpenAPI cannot say, are not in it.
 * @param routes what `routes(app)` of an adapter, or `reportAccess`, returns
 * @throws ConfigError for wrong options, and for a report that no adapter made
 * @example
 * ```ts
 * const document = {
 *   openapi: '3.1.0',
 *   info: { title: 'Orders', version: '1.0.0' },
 *   ...describeOpenApi([reportAccess({ method: 'GET', path: '/orders' }, authenticator, {})]),
 * };
 * ```
 */
export function describeOpenApi(
  routes: readonly RouteReport[],
  ...options: readonly [options?: OpenApiOptions]
): OpenApiParts {
  const { version } = readOpenApiOptions(argument(options, 'openapi', {}));
  const paths: { [path: string]: { [method: string]: unknown } } = {};
  for (const { method, path, requirement } of routes) {
    if (requirement === 'UNDECIDED') continue;
    for (const template of templatesOf(path)) {
      const item = Object.entries(paths).find(([known]) => keyOfTemplate(known) === keyOfTemplate(template));
      const operations = item?.[1] ?? { ...withParameters(template) };
      paths[item?.[0] ?? template] = operations;
      for (const name of method === 'ALL' ? EVERY : [method.toLowerCase()])
        if (isMethod(name))
          operations[name] ??= { responses: { default: { description: 'Any other answer.' } } };
    }
  }
  const written: OpenApiDocument = addToOpenApi({ openapi: `${version}.0`, paths }, routes, ...options);
  const { securitySchemes = {}, schemas = {} } = written.components ?? {};
  return { components: { securitySchemes, schemas }, paths: written.paths } as OpenApiParts;
}

function withParameters(template: string): { readonly parameters?: readonly object[] } {
  const names = parametersIn(template);
  if (names.length === 0) return {};
  return {
    parameters: names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
  };
}

/** Finds the report of an operation. Paths may be without the base path of a server. */
function finderOf(routes: readonly RouteReport[], { servers }: OpenApiDocument) {
  const byKey = new Map<string, RouteReport>();
  for (const report of routes)
    for (const template of templatesOf(report.path)) {
      const key = `${report.method} ${keyOfTemplate(template)}`;
      // The first route of a path and a method answers.
      if (!byKey.has(key)) byKey.set(key, report);
    }
  const bases = ['', ...(Array.isArray(servers) ? servers.map(basePathOf) : [])];
  return (method: string, path: string): RouteReport | undefined => {
    const keys = bases.map((base) => keyOfTemplate(`${base}${path}`));
    const found = [method.toUpperCase(), 'ALL'].flatMap((name) =>
      keys.map((key) => byKey.get(`${name} ${key}`)),
    );
    return found.find((report) => report !== undefined);
  };
}

function basePathOf(server: unknown): string {
  const { url }: { readonly url?: unknown } = Object(server);
  if (typeof url !== 'string' || !URL.canParse(url, 'http://localhost')) return '';
  return new URL(url, 'http://localhost').pathname.replace(/\/$/, '');
}

function passedOf(report: RouteReport) {
  const passed = marksOfReport(report);
  if (passed === undefined)
    throw new ConfigError(
      'routes',
      `expected what routes(app) returns, got a copy of ${report.method} ${report.path}; pass the list itself`,
    );
  return passed;
}

function nameOfSchema(schemas: ReturnType<typeof schemeNames>, body: object): string {
  for (let number = 1; ; number++) {
    const name = number === 1 ? 'Refusal' : `Refusal_${number}`;
    if (Object.hasOwn(schemas.all, name)) continue;
    Object.assign(schemas.all, { [name]: body });
    return name;
  }
}

function isMethod(name: string): boolean {
  return (METHODS as readonly string[]).includes(name);
}

function readDocument(document: unknown): OpenApiDocument {
  const { openapi }: { readonly openapi?: unknown } = Object(document);
  if (typeof openapi !== 'string' || !/^3\.\d/.test(openapi))
    throw new ConfigError('document.openapi', 'expected a document of OpenAPI 3, with openapi: 3.0 or later');
  return document as OpenApiDocument;
}

function readOpenApiOptions(value: unknown) {
  const given = readObject(value, ['body', 'mediaType', 'rules', 'version'], 'openapi');
  const { body, mediaType = 'application/json', rules = 'rules', version = '3.1' } = given;
  if (body !== undefined && !isPlainObject(body)) throw new ConfigError('openapi.body', 'expected a schema');
  return {
    body,
    mediaType: readText(mediaType, 'openapi.mediaType'),
    rules: readChoice(rules, ['rules', 'names'], 'openapi.rules') ?? 'rules',
    version: readChoice(version, ['3.0', '3.1'], 'openapi.version') ?? '3.1',
  };
}
