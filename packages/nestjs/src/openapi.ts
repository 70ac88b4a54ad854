// Writes what handlers require into the document of @nestjs/swagger, which is known by its form
// only. No request is decided here.
import * as core from '@latchkey/core';
import * as adapter from '@latchkey/core/adapter';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { LATCHKEY_AUTHENTICATOR } from './guard.ts';

/** What the exception of a refusal is answered with. */
const BODY = {
  type: 'object',
  description: 'Why a request was refused.',
  required: ['statusCode', 'code', 'message'],
  properties: {
    statusCode: { type: 'integer', description: 'The status of the answer.' },
    code: { type: 'string', description: 'The code of the refusal.', example: 'credentials_missing' },
    message: { type: 'string', description: 'Constant for each code.' },
  },
};

/** The metadata with which @nestjs/swagger notes `@ApiSecurity` on classes and on methods. */
const SECURITY = 'swagger/apiSecurity';
/** Our marks among them, which no document keeps. */
const MARK = /^latchkey (class|method) (\d+)$/;

/** The part of an application that is used here. */
export interface DocumentedApplication {
  get<T>(token: unknown, options: { readonly strict: false }): T;
}

type Operation = { readonly security?: readonly object[] };

/**
 * Makes an OpenAPI document with `make`, and writes into it what each handler requires, from the
 * same decorators that decide: `security`, the responses 400, 401, 403 and 503, and a description.
 * See `addToOpenApi` of `@latchkey/core`. It replaces `@ApiBearerAuth` and `@ApiSecurity` of a
 * handler.
 * @param app the application, before or after it listens
 * @param make calls `SwaggerModule.createDocument`. It may not wait for anything
 * @param options `body` if the application has a filter that writes another body
 * @throws ConfigError for wrong options, and for a document without the marks of `@nestjs/swagger`
 * @example
 * ```ts
 * // make: () => SwaggerModule.createDocument(app, config)
 * const documentOf = (make: () => object) => secureDocument(app, make);
 * ```
 */
export function secureDocument<D extends object>(
  app: DocumentedApplication,
  make: () => D,
  ...options: readonly [options?: core.OpenApiOptions]
): D {
  const strict = false;
  const authenticator = app.get<core.Authenticator>(LATCHKEY_AUTHENTICATOR, { strict });
  const classes = app
    .get<DiscoveryService>(DiscoveryService, { strict })
    .getControllers()
    .flatMap(({ metatype }) => (isClass(metatype) ? [metatype] : []));
  const methods = [...new Set(classes.flatMap(methodsOf))];
  const reports: core.RouteReport[] = [];
  const document = withOperations(marked(classes, methods, make), (operation, method, path) => {
    const { security = [], ...rest } = operation;
    const marks = security.flatMap((one) => Object.keys(one)).flatMap((name) => MARK.exec(name) ?? []);
    const named = (kind: string) => Number(marks[marks.lastIndexOf(kind) + 1]);
    const [type, handler] = [classes[named('class')], methods[named('method')]];
    if (type === undefined || handler === undefined) return operation;
    const { isPublic, asked } = adapter.decoratedAccess(type, handler);
    const route = { method: method.toUpperCase(), path };
    reports.push(core.reportAccess(route, authenticator, isPublic ? false : asked));
    return rest;
  });
  return core.addToOpenApi(document, reports, { body: BODY, ...options[0] });
}

function isClass(type: unknown): type is adapter.DecoratedClass {
  return typeof type === 'function';
}

function methodsOf({ prototype }: adapter.DecoratedClass): readonly object[] {
  return new MetadataScanner().getAllMethodNames(prototype).map((name) => Reflect.get(prototype, name));
}

/** Marks classes and methods while a document is made, so that each operation names its handler. */
function marked<D>(classes: readonly object[], methods: readonly object[], make: () => D): D {
  const undo: (() => void)[] = [];
  const mark = (target: object, name: string) => {
    const own: unknown = Reflect.getOwnMetadata(SECURITY, target);
    const said: unknown = Reflect.getMetadata(SECURITY, target);
    undo.push(() => {
      if (own === undefined) Reflect.deleteMetadata(SECURITY, target);
      else Reflect.defineMetadata(SECURITY, own, target);
    });
    // The own mark is the last one: a class may inherit that of another class.
    const before: readonly unknown[] = Array.isArray(said) ? said : [];
    Reflect.defineMetadata(SECURITY, [...before, { [name]: [] }], target);
  };
  try {
    classes.forEach((type, index) => void mark(type, `latchkey class ${index}`));
    methods.forEach((method, index) => void mark(method, `latchkey method ${index}`));
    return make();
  } finally {
    for (const one of undo.toReversed()) one();
  }
}

/** Copies a document with other operations. */
function withOperations<D extends object>(
  document: D,
  write: (operation: Operation, method: string, path: string) => Operation,
): D {
  const { paths }: { readonly paths?: { readonly [path: string]: object } } = document;
  const items = Object.entries(paths ?? {}).map(([path, item]) => {
    const written = Object.entries(item).map(([name, one]: [string, unknown]) => [
      name,
      // Other members of a path, such as parameters, are not operations.
      isOperation(one) ? write(one, name, path) : one,
    ]);
    return [path, Object.fromEntries(written)];
  });
  return { ...document, paths: Object.fromEntries(items) };
}

function isOperation(value: unknown): value is Operation {
  return typeof value === 'object' && value !== null && 'responses' in value;
}
