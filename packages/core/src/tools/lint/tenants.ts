// Lint rules about keysets for many tenants: which are welcome, and whether a claim names them.
import { hasBraces } from '../../keysets/issuer-template.ts';
import { keysetsOf, type LintRule, membersOf, type Part, spotIf } from './rule.ts';

/** Microsoft Entra and Azure AD, of all clouds. Their tokens name the tenant in `tid`. */
const ENTRA =
  /^https:\/\/(?:login\.microsoftonline\.(?:com|us)|login\.partner\.microsoftonline\.cn|sts\.windows\.net)\//;
/** Patterns that every name of a tenant matches. */
const ANY = /^\^?(?:\.|\[A-Za-z0-9-\]|\[\\w-\])(?:[*+]|\{1,\d*\})\$?$/;

/** The rules about tenants. */
export const tenantRules: readonly LintRule[] = [
  {
    id: 'tenant-any',
    severity: 'warning',
    message: 'every tenant of this provider may sign in, also one that somebody opens there tomorrow',
    fix: 'name the tenants that are welcome in `tenants:`, and remove unsafeAnyTenant',
    find: (jwt) =>
      templatesOf(keysetsOf(jwt)).flatMap(({ path, value }) => [
        ...spotIf(value.unsafeAnyTenant === true, `${path}.unsafeAnyTenant`),
        ...spotIf(ANY.test(String(membersOf(value.tenants).pattern)), `${path}.tenants.pattern`),
      ]),
  },
  {
    id: 'tenant-unbound',
    severity: 'warning',
    message: 'tenants of Microsoft Entra share their keys, and no claim has to name the tenant of a token',
    fix: 'add `bind: { tid: tid }`, with the name of the placeholder before the colon',
    find: (jwt) =>
      templatesOf(keysetsOf(jwt)).flatMap(({ path, value }) =>
        spotIf(ENTRA.test(String(value.issuer)) && value.bind === undefined, `${path}.issuer`),
      ),
  },
];

function templatesOf(keysets: readonly Part[]): readonly Part[] {
  return keysets.filter(({ value: { issuer } }) => typeof issuer === 'string' && hasBraces(issuer));
}
