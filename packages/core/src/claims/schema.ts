// Standard Schema (standardschema.dev), version 1: the one interface of Zod, Valibot, ArkType and
// others. Only its shape and its use.
import { asError, ConfigError, isAuthError } from '../errors.ts';
import { isPromise } from '../values/promise.ts';

/** A schema of any library that follows Standard Schema. It has to validate synchronously. */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string }[] };

/**
 * What values of a schema look like before it changes them: claims are given to handlers as they
 * were signed.
 */
export type SchemaInput<S extends StandardSchema> = NonNullable<S['~standard']['types']>['input'];

/** True for a schema. Some libraries' schemas are functions. */
export function isSchema(value: unknown): value is StandardSchema {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') && '~standard' in value
  );
}

/**
 * Makes a check of a schema.
 * @throws ConfigError for another version of the interface
 */
export function compileSchema(schema: StandardSchema, path: string): (value: unknown) => boolean {
  const standard = schema['~standard'];
  if (standard.version !== 1 || typeof standard.validate !== 'function') {
    throw new ConfigError(path, 'expected a Standard Schema of version 1');
  }
  return (value) => {
    const result = callForeign(() => standard.validate(value), path);
    if (typeof result !== 'object' || result === null)
      throw new TypeError(`${path}: the schema gave no result`);
    // Only what says that it has no issues has none.
    return 'value' in result && (!('issues' in result) || result.issues === undefined);
  };
}

/**
 * Calls a function of the application's, which has to answer at once.
 * @throws what it throws, as an Error; TypeError if it answers with a promise
 */
export function callForeign(call: () => unknown, path: string): unknown {
  let result: unknown;
  try {
    result = call();
  } catch (error) {
    // A refusal that other code made is a fault here: it must not pass for the decision's own.
    if (isAuthError(error)) throw new Error(`${path}: threw an AuthError; answer false`, { cause: error });
    throw asError(error);
  }
  if (isPromise(result)) {
    // It is nobody's any more, and must not take the process with it.
    Promise.resolve(result).catch(() => {});
    throw new TypeError(`${path}: has to answer at once, and not with a promise`);
  }
  return result;
}
