// Options that name secrets and stores. The interface of a store is in store.ts.
import { fromCode, type Kind, needed, patternSchema, refined, shared, text } from '../values/option.ts';
import { checkSecretName, readStore, type SecretStore } from './store.ts';

/** The name of a secret, or of an entry in a secret. */
export const secretName: Kind<string> = refined(
  text,
  checkSecretName,
  shared('secretName', {
    description: 'Letters, digits, ".", "_" and "-".',
    ...patternSchema('^(?!\\.\\.)(?!\\.$)[A-Za-z0-9._-]{1,253}$'),
  }),
);

/** A secret store. It can be set in code only. */
export const store: Kind<SecretStore> = fromCode(readStore);

/** `name` of a secret. */
export const name = needed(secretName, 'The name of the secret.');
/** `key` of a secret, without a default. */
export const key = needed(secretName, 'The entry in the secret.');
