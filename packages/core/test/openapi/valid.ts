// Judges OpenAPI documents by the JSON Schemas of the OpenAPI Initiative.
import { Validator } from '@seriousme/openapi-schema-validator';

// It keeps the compiled schemas.
const validator = new Validator();

/** What the validator says is wrong; undefined if nothing is. */
export async function problemsOf(document: object): Promise<unknown> {
  const { valid, errors } = await validator.validate({ ...structuredClone(document) });
  return valid ? undefined : errors;
}
