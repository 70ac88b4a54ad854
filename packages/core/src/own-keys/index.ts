// '@latchkey/core/own-keys': keys and tokens that a service makes for itself, and the
// zero-configuration start. Other signers are in '../signing'.
export type { AuthDirectory, AuthDirectoryOptions, SavedToken } from './auth-directory.ts';
export { createUserToken, initAuthDirectory, openAuthDirectory, userTokenFile } from './auth-directory.ts';
export type { EnvironmentStart, EnvironmentStartOptions } from './environment-start.ts';
export { loadEnvironmentStart } from './environment-start.ts';
