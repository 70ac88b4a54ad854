// What tools do with descriptors: read, change, check and compare them. Services need none of it:
// they have `createAuthenticator`.

export { ruleFormRows } from '../claims/rules-schema.ts';
export { readOptions } from '../decision/settings.ts';
export { type DescriptorDocument, parseDescriptor } from '../descriptor/document.ts';
export { interpolate } from '../descriptor/interpolate.ts';
export { readDescriptorFile, readSigning } from '../descriptor/load.ts';
export { readLegacyKeys } from '../keysets/legacy-options.ts';
export { readKeyset } from '../keysets/options.ts';
export { isLoopback } from '../net/addresses.ts';
export { plain } from '../plain-text.ts';
export { MAX_SECRET_BYTES } from '../secrets/store.ts';
export type { Effect } from '../values/judge.ts';
export { meant } from '../values/kind.ts';
export { codeOf } from '../values/system-error.ts';
export {
  addKey,
  addKeyset,
  type Comments,
  type KeysetChanges,
  removeKeys,
  removeKeyset,
  setAudience,
  setOption,
  updateKeyset,
} from './edit.ts';
export {
  type InspectedKeyset,
  type InspectOptions,
  inspectKeyset,
  readUnverifiedToken,
  type UnverifiedTokenText,
} from './inspect.ts';
export { checkKeyPair, checkSymmetricSecret, extractPublicKey, type KeyPairText } from './key-files.ts';
export type { Finding, Severity } from './lint/rule.ts';
export { type LintContext, lintDescriptor } from './lint.ts';
export { type LegacyKey, readLegacyKey } from './migrate/keys.ts';
export {
  finishMigration,
  type MigratedKeyset,
  type Migration,
  type MigrationOptions,
  planMigration,
} from './migrate.ts';
export { type Change, planChange } from './plan.ts';
export { completeRevocation, openRevocationFile } from './revoke.ts';
export { descriptorSchema, optionTables } from './schema.ts';
export { changeDescriptor, writeDescriptor } from './write.ts';
