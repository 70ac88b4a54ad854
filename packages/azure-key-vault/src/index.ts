// The public surface: one store, and its options. Nothing is decided here.
export type { AzureKeyVaultClientOptions, AzureKeyVaultStoreOptions, VaultObject } from './options.ts';
export { createAzureKeyVaultStore } from './store.ts';
