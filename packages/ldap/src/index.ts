// The public surface: one resolver, and its options. Nothing is decided here.
export type { LdapGroupEntries, LdapGroupsOptions, LdapReader, LdapUsers } from './options.ts';
export type { LdapGroups, LdapGroupsReport } from './resolver.ts';
export { createLdapGroups } from './resolver.ts';
