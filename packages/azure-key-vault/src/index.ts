// The public exports: one store and its options. No code is here.
export type { AzureKeyVaultClientOptions, AzureKeyVaultStoreOptions, VaultObject } from './options.ts';
export { createAzureKeyVaultStore } from './store.ts';
