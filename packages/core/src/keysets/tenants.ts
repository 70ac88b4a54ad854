// The options of a keyset for many tenants: which are welcome, and which claim of a token must name
// its tenant. They are applied in tenant-checks.ts. The keys of tenants are in tenant-keysets.ts.
import { compilePattern } from '../claims/pattern.ts';
import { ConfigError } from '../errors.ts';
import { own } from '../values/json.ts';
import { coming, flag, type Judge, listed, other, replaced } from '../values/judge.ts';
import { kindOf } from '../values/kind.ts';
import {
  boolean,
  byName,
  defaulted,
  type Kind,
  list,
  needed,
  object,
  optional,
  patternSchema,
  type ReadBy,
  type Schema,
  type TableOf,
  text,
  whole,
} from '../values/option.ts';
import { isPlainObject, type UncheckedOptions } from '../values/readers.ts';
import { hasBraces, type IssuerTemplate, MAX_TENANT_LENGTH, readTemplate } from './issuer-template.ts';

/**
 * Says whether a tenant is welcome. What it says of a tenant is used for a minute, and a no for ten
 * seconds. If it throws, rejects, gives no boolean or takes longer than five seconds, the answer to
 * the request is 503.
 * @param tenant the value of the placeholder, unverified: `[A-Za-z0-9-]`, at most 64 characters
 * @param issuer of the token, unverified
 */
export type TenantPredicate = (tenant: string, issuer: string) => boolean | Promise<boolean>;

/** The tenants that are welcome: their names, a pattern for the whole name, or a function. */
export type TenantsRule =
  | readonly string[]
  | RegExp
  | { readonly pattern: string | RegExp }
  | TenantPredicate;

/** Options of a keyset whose issuer is a template, `https://id.example.com/realms/{realm}`. */
export interface TenantOptions {
  /**
   * The tenants that are welcome, by the value of the placeholder in `issuer`. A token of another
   * tenant is refused: 401, and nothing is fetched. A function is asked about each tenant, and its
   * answer is used for a minute. When the function stops to welcome a tenant, tokens of that
   * tenant, cached ones too, are accepted for that long at most. Only code can give a function.
   * Required for an issuer with a placeholder, or else `unsafeAnyTenant`, and not allowed for
   * others.
   * @example { issuer: 'https://{org}.id.example.com', tenants: ['acme'], useDiscovery: 'oidc' }
   */
  readonly tenants?: TenantsRule;
  /**
   * Every tenant of the provider is welcome: who may open one there may sign tokens that are
   * accepted here. In place of `tenants`. Warns. Default false.
   */
  readonly unsafeAnyTenant?: boolean;
  /**
   * The claim that must name the tenant too, by the placeholder: with `{ tid: 'tid' }`, the claim
   * `tid` must equal the value of `{tid}` in `iss`. Else the token is refused: 401. For providers
   * whose tenants share their keys, such as Microsoft Entra. Default: no claim has to.
   */
  readonly bind?: { readonly [placeholder: string]: string };
  /**
   * The tenants whose keys, and whose answers of the function in `tenants`, are kept at the same
   * time, 1 to 100000. Of more, those that had no token for the longest time are read and asked for
   * again. Default 1000.
   */
  readonly maxTenants?: number;
}

/** Which tenants are welcome, checked. */
export type TenantsSettings =
  | { readonly by: 'list'; readonly names: ReadonlySet<string> }
  | { readonly by: 'pattern'; readonly matches: (tenant: string) => boolean }
  | { readonly by: 'function'; readonly ask: TenantPredicate }
  | { readonly by: 'nothing' };

/** The tenants of a keyset, checked. */
export interface TenancySettings {
  readonly template: IssuerTemplate;
  readonly tenants: TenantsSettings;
  /** The claim that must equal the value of the placeholder. */
  readonly boundClaim: string | undefined;
  readonly maxTenants: number;
}

const tenant: Kind<string> = {
  read(value, path) {
    if (typeof value === 'string' && /^[A-Za-z0-9-]{1,64}$/.test(value)) return value;
    throw new ConfigError(
      path,
      `expected the value of the placeholder: at most ${MAX_TENANT_LENGTH} letters, digits and hyphens, got ${kindOf(value)}`,
    );
  },
  schema: patternSchema('^[A-Za-z0-9-]{1,64}$'),
};
const names = list(tenant);
const pattern = object({
  pattern: needed(text, 'A regular expression in the syntax of RE2, for the whole name of a tenant.'),
});

const tenantsKind: Kind<TenantsSettings> = {
  read(value, path) {
    if (typeof value === 'function') return { by: 'function', ask: value as TenantPredicate };
    if (Array.isArray(value)) return { by: 'list', names: new Set(names.read(value, path)) };
    if (value instanceof RegExp) return { by: 'pattern', matches: compilePattern(value, path) };
    if (!isPlainObject(value))
      throw new ConfigError(
        path,
        `expected a list of tenants, { pattern: '…' } or a function, got ${kindOf(value)}`,
      );
    const given: unknown = own(value, 'pattern');
    if (given instanceof RegExp && Object.keys(value).length === 1)
      return { by: 'pattern', matches: compilePattern(given, `${path}.pattern`) };
    return {
      by: 'pattern',
      matches: compilePattern(pattern.read(value, path).pattern, `${path}.pattern`),
    };
  },
  schema: {
    anyOf: [
      { description: 'The names of tenants.', ...names.schema },
      { ...pattern.schema, description: 'All tenants whose whole name matches.' },
    ],
  },
};

/** Lists of names are compared name by name; of other forms, neither is known to be stricter. */
const tenantsJudge: Judge = coming(
  ['closes', 'only some tenants are welcome'],
  ['opens', 'no list of tenants says which are welcome'],
  (before, after) =>
    Array.isArray(before) && Array.isArray(after)
      ? listed({ more: 'opens', thing: 'tenant' })(before, after)
      : replaced('other tenants are welcome')(before, after),
);

/** The table of these options. */
export const tenantOptions = {
  tenants: optional(
    tenantsKind,
    'The tenants that are welcome, by the value of the placeholder in issuer: a list, or a pattern. Required for an issuer with a placeholder.',
    tenantsJudge,
  ),
  unsafeAnyTenant: defaulted(
    boolean,
    false,
    'Whether every tenant of the provider is welcome, in place of tenants.',
    flag('opens', 'every tenant of the provider is welcome'),
  ),
  bind: optional(
    byName(text, 'expected the name of a claim by that of the placeholder'),
    'The claim that must name the tenant too, by the name of the placeholder, such as tid: tid for Microsoft Entra.',
    coming(
      ['closes', 'a claim must name the tenant of a token'],
      ['opens', 'no claim has to name the tenant of a token'],
      replaced('another claim must name the tenant of a token'),
    ),
  ),
  maxTenants: defaulted(
    whole(1, 100_000, 'expected a whole number from 1 to 100000'),
    1000,
    'The tenants whose keys are kept at the same time.',
    other('the keys of another number of tenants are kept'),
  ),
} satisfies TableOf<TenantOptions>;

/** The names of these options. */
export const TENANT_OPTIONS = [
  'tenants',
  'unsafeAnyTenant',
  'bind',
  'maxTenants',
] as const satisfies readonly (keyof TenantOptions)[];

const template = patternSchema('(?:^|[^$])\\{[A-Za-z]\\w{0,31}\\}');
const needsTemplate: Schema = { required: ['issuer'], properties: { issuer: template } };
const anyTenant: Schema = { required: ['unsafeAnyTenant'], properties: { unsafeAnyTenant: { const: true } } };
const withBraces: Schema = {
  required: ['issuer'],
  properties: { issuer: { type: 'string', pattern: '(?:^|[^$])\\{' } },
};

/** What the schema of a keyset says of these options and of its issuer. */
export const tenantSchemas = {
  dependent: {
    tenants: { ...needsTemplate, not: anyTenant },
    bind: needsTemplate,
    maxTenants: needsTemplate,
    jwksHosts: { not: withBraces },
  },
  all: [
    { if: withBraces, then: { anyOf: [{ required: ['tenants'] }, anyTenant] } },
    { if: anyTenant, then: needsTemplate },
    { if: withBraces, then: { properties: { system: { not: { const: true } } } } },
  ],
} as const;

/**
 * Reads the issuer of a keyset, if it is a template, with the options about its tenants.
 * @returns undefined for an issuer without a placeholder
 * @throws ConfigError
 */
export function readTenancy(
  issuer: string | undefined,
  read: ReadBy<typeof tenantOptions>,
  options: UncheckedOptions,
  { allowHttp, name }: { readonly allowHttp: boolean; readonly name: string },
): TenancySettings | undefined {
  const { tenants, unsafeAnyTenant, bind, maxTenants } = read;
  if (issuer === undefined || !hasBraces(issuer)) {
    const given = TENANT_OPTIONS.find((option) => (own(options, option) ?? false) !== false);
    if (given === undefined) return undefined;
    throw new ConfigError(
      `${name}.${given}`,
      "needs an issuer with a placeholder, like 'https://id.example.com/realms/{realm}'",
    );
  }
  const template = readTemplate(issuer, allowHttp, `${name}.issuer`);
  const isPossible = (tenant: string) => template.tenantOf(template.issuerOf(tenant)) === tenant;
  if (tenants !== undefined && unsafeAnyTenant)
    throw new ConfigError(`${name}.unsafeAnyTenant`, 'is not allowed next to tenants; remove one');
  if (tenants === undefined && !unsafeAnyTenant)
    throw new ConfigError(
      `${name}.tenants`,
      `is required for an issuer with a placeholder; name the values of {${template.placeholder}} that are welcome, like ['acme']`,
    );
  if ((own(options, 'system') ?? false) !== false)
    throw new ConfigError(
      `${name}.system`,
      'is not allowed for many tenants: each could sign as the system; give the system a keyset of its own',
    );
  const never = tenants?.by === 'list' ? [...tenants.names].find((one) => !isPossible(one)) : undefined;
  if (never !== undefined)
    throw new ConfigError(
      `${name}.tenants`,
      `expected labels of a host, in lower case, because the placeholder is one; ${never} is never in an issuer`,
    );
  return Object.freeze<TenancySettings>({
    template,
    tenants: tenants ?? { by: 'nothing' },
    boundClaim: boundClaimOf(bind, template, `${name}.bind`),
    maxTenants,
  });
}

function boundClaimOf(
  bind: ReadonlyMap<string, string> | undefined,
  { placeholder }: IssuerTemplate,
  path: string,
): string | undefined {
  if (bind === undefined) return undefined;
  const claim = bind.get(placeholder);
  if (claim !== undefined && bind.size === 1) return claim;
  throw new ConfigError(path, `expected the one placeholder of issuer, like { ${placeholder}: 'tid' }`);
}

/** The issuers that a keyset names: of many tenants, those of a list. */
export function issuersOf({
  issuer,
  tenancy,
}: {
  readonly issuer: string | undefined;
  readonly tenancy: TenancySettings | undefined;
}): readonly string[] {
  if (issuer === undefined) return [];
  if (tenancy === undefined) return [issuer];
  const { template, tenants } = tenancy;
  return tenants.by === 'list' ? [...tenants.names].map(template.issuerOf) : [];
}
