// The flags of providers, and what each may be. Most of them become a part of a URL, so a value
// that could change the rest of the URL is refused.

/** A flag. */
export interface Flag {
  /** As `--help` shows it. */
  readonly option: string;
  readonly help: string;
  /** It may be repeated. */
  readonly many?: true;
  /** Words for a message about a wrong value. */
  readonly expected: string;
  fits(value: string): boolean;
}

const matching = (pattern: RegExp) => (value: string) => value.length <= 255 && pattern.test(value);

/** A host name with at least two parts, in lower case as `iss` has it, with a port if needed. */
const HOST = /^[a-z\d](?:[a-z\d-]*[a-z\d])?(?:\.[a-z\d](?:[a-z\d-]*[a-z\d])?)+(?::\d{1,5})?$/;

/** A URL that is only what it looks like: no user, no query, no fragment. */
function isPlainUrl(value: string): boolean {
  if (!URL.canParse(value) || /[\s\\@?#]|\/\.\.?(?:\/|$)/.test(value)) return false;
  const { protocol, hostname } = new URL(value);
  return protocol === 'https:' && hostname !== '';
}

/** An origin of pages: https, or http to this machine. */
function isOrigin(value: string): boolean {
  if (!URL.canParse(value) || new URL(value).origin !== value) return false;
  const { protocol, hostname } = new URL(value);
  return protocol === 'https:' || (protocol === 'http:' && hostname === 'localhost');
}

/** The name of a flag, as the command line has it in its options. */
export type FlagName =
  | 'audience'
  | 'issuer'
  | 'jwksUrl'
  | 'tenant'
  | 'clientId'
  | 'userPool'
  | 'region'
  | 'domain'
  | 'authorizationServer'
  | 'realm'
  | 'project'
  | 'team'
  | 'origin'
  | 'repository'
  | 'repositoryId'
  | 'ref'
  | 'environment'
  | 'serviceAccount'
  | 'trustDomain';

/** The flags, by name. */
export const FLAGS: { readonly [Name in FlagName]: Flag } = {
  audience: {
    option: '--audience <audience>',
    help: 'the audience of this service, for a descriptor or a provider; may be repeated',
    many: true,
    expected: 'the aud of the tokens, without spaces',
    fits: matching(/^[\x21-\x7e]+$/),
  },
  issuer: {
    option: '--issuer <issuer>',
    help: 'the issuer of the tokens; required with discovery',
    expected: 'an https URL, without user, query and fragment',
    fits: isPlainUrl,
  },
  jwksUrl: {
    option: '--jwks-url <url>',
    help: 'keys at this URL, https',
    expected: 'an https URL, without user, query and fragment',
    fits: isPlainUrl,
  },
  tenant: {
    option: '--tenant <id>',
    help: 'Entra: the ID of the tenant, a GUID; may be repeated',
    many: true,
    expected:
      'the ID of a tenant, a GUID; a name, common or organizations is never the tenant in iss, and the flag may be repeated for several tenants',
    fits: matching(/^[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}$/i),
  },
  clientId: {
    option: '--client-id <id>',
    help: 'the client ID of an application; may be repeated',
    many: true,
    expected: 'a client ID, without spaces',
    fits: matching(/^[\x21-\x7e]+$/),
  },
  userPool: {
    option: '--user-pool <id>',
    help: 'Cognito: the ID of the user pool, which begins with its region',
    expected: 'the ID of a user pool, like eu-west-1_AbCdEf123',
    fits: matching(/^[a-z]{2}(?:-[a-z]+)+-\d_[A-Za-z\d]+$/),
  },
  region: {
    option: '--region <region>',
    help: 'Cognito: the region, if it shall be checked against the user pool',
    expected: 'a region, like eu-west-1',
    fits: matching(/^[a-z]{2}(?:-[a-z]+)+-\d$/),
  },
  domain: {
    option: '--domain <host>',
    help: 'the host of the provider, like tenant.eu.auth0.com; Google: the domain of an organization',
    expected: 'a host name in lower case, without https:// and without a path',
    fits: matching(HOST),
  },
  authorizationServer: {
    option: '--authorization-server <id>',
    help: 'Okta: the custom authorization server (default: default)',
    expected: 'the ID of an authorization server, like default',
    fits: matching(/^[A-Za-z\d]+$/),
  },
  realm: {
    option: '--realm <name>',
    help: 'Keycloak: the realm',
    expected: 'the name of a realm, of letters, digits, and . _ ~ -',
    fits: matching(/^(?!\.{1,2}$)[\w.~-]+$/),
  },
  project: {
    option: '--project <id>',
    help: 'Firebase: the project ID; Supabase: the reference of the project',
    expected: 'the ID of a project, of lower-case letters, digits and -',
    fits: matching(/^[a-z\d][a-z\d-]*$/),
  },
  team: {
    option: '--team <name>',
    help: 'Cloudflare Access: the name of the team, without .cloudflareaccess.com',
    expected: 'the name of a team, of lower-case letters, digits and -',
    fits: matching(/^[a-z\d](?:[a-z\d-]*[a-z\d])?$/),
  },
  origin: {
    option: '--origin <origin>',
    help: 'Clerk: an origin of pages that may get tokens; may be repeated',
    many: true,
    expected: 'an origin without a final slash, like https://app.example.com',
    fits: isOrigin,
  },
  repository: {
    option: '--repository <owner/name>',
    help: 'GitHub Actions: a repository whose workflows may call; may be repeated',
    many: true,
    expected: 'a repository, like octo-org/octo-repo',
    fits: matching(/^[\w-]+\/(?!\.{1,2}$)[\w.-]+$/),
  },
  repositoryId: {
    option: '--repository-id <number>',
    help: 'GitHub Actions: the ID of the repository, which no other repository ever gets; may be repeated',
    many: true,
    expected: 'the number that identifies the repository',
    fits: matching(/^\d+$/),
  },
  ref: {
    option: '--ref <ref>',
    help: 'GitHub Actions: the only branch or tag, like refs/heads/main',
    expected: 'a full ref, like refs/heads/main',
    fits: matching(/^refs\/[\x21-\x7e]+$/),
  },
  environment: {
    option: '--environment <name>',
    help: 'GitHub Actions: the only environment of jobs',
    expected: 'the name of an environment',
    fits: matching(/^[^\p{C}]+$/u),
  },
  serviceAccount: {
    option: '--service-account <namespace/name>',
    help: 'Kubernetes: a service account that may call; may be repeated',
    many: true,
    expected: 'a service account with its namespace, like shop/checkout',
    fits: matching(/^[a-z\d](?:[a-z\d-]*[a-z\d])?\/[a-z\d](?:[a-z\d.-]*[a-z\d])?$/),
  },
  trustDomain: {
    option: '--trust-domain <name>',
    help: 'SPIFFE: the trust domain, without spiffe://',
    expected: 'a trust domain, like example.org',
    fits: matching(/^[a-z\d._-]+$/),
  },
};

/** `--tenant`, without its argument. */
export function flagOf(name: FlagName): string {
  return FLAGS[name].option.split(' ')[0] ?? name;
}

/** The flags of a call, checked. Every flag has a list; one that was not given has an empty one. */
export type FlagValues = { readonly [Name in FlagName]: readonly string[] };
