// The public API: one resolver, and its options. There is no logic here.
export type { LdapGroupEntries, LdapGroupsOptions, LdapReader, LdapUsers } from './options.ts';
export type { LdapGroups, LdapGroupsReport } from './resolver.ts';
export { createLdapGroups } from './resolver.ts';
