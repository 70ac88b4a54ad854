// Standard Schema (standardschema.dev), version 1: the common interface of Zod, Valibot, ArkType
// and others. Describes its shape and calls it; contains no schema.
import { asError, ConfigError, isAuthError } from '../errors.ts';
import { isPromise } from '../values/promise.ts';

/** A schema of any library that implements Standard Schema. It must validate synchronously. */
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

/** The type of values before the schema transforms them. */
export type SchemaInput<S extends StandardSchema> = NonNullable<S['~standard']['types']>['input'];

/** The type of values that the schema returns. */
export type SchemaOutput<S extends StandardSchema> = NonNullable<S['~standard']['types']>['output'];

/** True for a schema. The schemas of some libraries are functions. */
export function isSchema(value: unknown): value is StandardSchema {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') && '~standard' in value
  );
}

type SchemaCheck = (value: unknown, take?: (output: unknown) => void) => boolean;

/**
 * Makes a check from a schema. `take` gets the output of the schema if the schema accepts the
 * value.
 * @throws ConfigError for another version of the interface
 */
export function compileSchema(schema: StandardSchema, path: string): SchemaCheck {
  const standard = schema['~standard'];
  if (standard.version !== 1 || typeof standard.validate !== 'function') {
    throw new ConfigError(path, 'expected a Standard Schema of version 1');
  }
  return (value, take) => {
    const result = callForeign(() => standard.validate(value), path);
    if (typeof result !== 'object' || result === null)
      throw new TypeError(`${path}: expected a result from the schema, got none`);
    // A result without issues must say so: it has a value and no `issues`.
    const accepts = 'value' in result && (!('issues' in result) || result.issues === undefined);
    if (accepts) take?.(result.value);
    return accepts;
  };
}

/**
 * Calls a function of the application, which must be synchronous.
 * @throws the error that it throws, as an Error; TypeError if it returns a promise
 */
export function callForeign(call: () => unknown, path: string): unknown {
  let result: unknown;
  try {
    result = call();
  } catch (error) {
    // An AuthError from other code is a fault here: it must not be taken for the refusal of the
    // decision.
    if (isAuthError(error))
      throw new Error(`${path}: threw an AuthError; return false instead`, { cause: error });
    throw asError(error);
  }
  if (isPromise(result)) {
    // Handles its rejection, because an unhandled one would end the process.
    Promise.resolve(result).catch(() => {});
    throw new TypeError(`${path}: expected a result, got a promise; make it synchronous`);
  }
  return result;
}
