// The parts of an OpenAPI document that are written here, and the options. The types say only what
// is used, so that the documents of all libraries fit.

/** A security scheme of OpenAPI 3. */
export interface SecurityScheme {
  readonly type: 'http' | 'apiKey' | 'openIdConnect' | 'mutualTLS';
  readonly description?: string;
  readonly scheme?: string;
  readonly bearerFormat?: string;
  readonly openIdConnectUrl?: string;
  readonly in?: 'header' | 'cookie' | 'query';
  readonly name?: string;
}

/** What one request needs: schemes by name, with scopes. All of them are needed. */
export type SecurityRequirement = { readonly [scheme: string]: readonly string[] };

/** An operation: `security` and `responses` are written, all other members stay. */
export interface OpenApiOperation {
  security?: SecurityRequirement[];
  description?: string;
  responses?: { [status: string]: unknown };
}

/** The part of a document that is read and written. */
export interface OpenApiDocument {
  openapi: string;
  paths?: { [path: string]: object | undefined };
  components?: { [kind: string]: unknown };
  security?: unknown;
  servers?: unknown;
}

/** What `describeOpenApi` returns: two members of a document. */
export interface OpenApiParts {
  readonly components: {
    readonly securitySchemes: { readonly [name: string]: SecurityScheme };
    readonly schemas: { readonly [name: string]: object };
  };
  readonly paths: { readonly [path: string]: { readonly [method: string]: OpenApiOperation } };
}

/** Options of `addToOpenApi` and `describeOpenApi`. */
export interface OpenApiOptions {
  /**
   * The schema of the body of a refusal, for an application whose error handler writes its own
   * body. Default: what the framework sends without an error handler. Example: `{ type: 'object',
   * properties: { title: { type: 'string' } } }`.
   */
  readonly body?: object;
  /** The media type of that body. Default `application/json`. */
  readonly mediaType?: string;
  /**
   * What descriptions say of rules. `rules`: the rules themselves, with the values in them.
   * `names`: only the names of the claims, for a document that everybody reads. Default `rules`.
   */
  readonly rules?: 'rules' | 'names';
  /** The version of OpenAPI. Only for `describeOpenApi`: a document has its own. Default `3.1`. */
  readonly version?: '3.0' | '3.1';
}
