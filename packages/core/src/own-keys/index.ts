// '@latchkey/core/own-keys': a service that makes its own keys and tokens, and the start that needs no configuration.
export type { AuthDirectory, AuthDirectoryOptions, SavedToken } from './auth-directory.ts';
export { createUserToken, initAuthDirectory, openAuthDirectory, userTokenFile } from './auth-directory.ts';
export type { LoadedSettings, SettingsOptions } from './environment-start.ts';
export { loadSettings } from './environment-start.ts';
