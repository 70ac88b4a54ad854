// The command lines of the systems that this one replaces, as data: each as written there, with the
// files before and after. Nothing here runs.
import { generateKeyPairSync } from 'node:crypto';

/** The result of a command. */
export interface SeedResult {
  readonly stdout: string;
  readonly stderr: string;
  /** `service.jwt` of the descriptor; undefined without a descriptor. */
  readonly jwt: Readonly<Record<string, unknown>> | undefined;
  /** Returns the content of a file in the working directory; undefined if it does not exist. */
  file(path: string): string | undefined;
  /** Returns the permissions of a file. */
  mode(path: string): number | undefined;
}

/** One command line. */
export interface SeedLine {
  /** The line as written, with the vendor's name; continued lines are joined. */
  readonly line: string;
  /** The values of the placeholders. */
  readonly fill?: Readonly<Record<string, string>>;
  /**
   * Files in the working directory, by their path. `/path/to/x` in a line is the file `path/to/x`.
   */
  readonly before?: Readonly<Record<string, string>>;
  /** Lines that run first, and whose output is not checked. */
  readonly first?: readonly string[];
  /** The whole output. */
  readonly stdout?: string;
  /** `service.jwt` afterwards. Undefined: as before. */
  readonly jwt?: Readonly<Record<string, unknown>>;
  /** The requests that must be made, in this order. Default: none. */
  readonly requests?: readonly string[];
  /** Returns any other fault; undefined if there is none. */
  fault?(result: SeedResult): string | undefined;
}

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const PRIVATE_PEM = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const PUBLIC_PEM = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString();
const SECRET_TEXT = '8Jx2qk0fV7rT1mWz5cYb3nLd9sGh4uPe6aKoXiQv';
const JWKS = { keys: [{ ...pair.publicKey.export({ format: 'jwk' }), kid: 'k', alg: 'ES256', use: 'sig' }] };

/** The answers of the hosts in the lines. */
export const HOSTS = {
  'accounts.google.com': {
    '/.well-known/openid-configuration': {
      issuer: 'https://accounts.google.com',
      jwks_uri: 'https://accounts.google.com/keys',
    },
    '/keys': JWKS,
  },
  'my-org.auth0.com': {
    '/.well-known/openid-configuration': {
      issuer: 'https://my-org.auth0.com/',
      jwks_uri: 'https://my-org.auth0.com/keys',
    },
    '/keys': JWKS,
  },
  'example.com': { '/.well-known/jwks.json': JWKS, '/new-jwks.json': JWKS },
};

const google = { issuer: 'https://accounts.google.com', useOidcDiscovery: true };
const example = { issuer: 'https://example.com', jwksUrl: 'https://example.com/.well-known/jwks.json' };
const mine = { issuer: 'my-issuer', secret: { name: 'my-jwks-secret', key: 'jwks.json' } };

const descriptor = (jwt: object) => ({
  'service.yaml': JSON.stringify({ name: 'my-service', service: { image: 'my-image:latest', jwt } }),
});
const EMPTY = descriptor({ keySets: [] });
const THREE = {
  'service.yaml': `name: my-service
service:
  image: my-image:latest
  jwt:
    keySets:
    - issuer: https://accounts.google.com # people
      useOidcDiscovery: true
    - issuer: https://example.com
      jwksUrl: https://example.com/.well-known/jwks.json
    - issuer: my-issuer
      secret:
        name: my-jwks-secret
        key: jwks.json
`,
};
const keepsComment = ({ file }: SeedResult) =>
  file('service.yaml')?.includes('.com # people') === true ? undefined : 'a comment is gone';

const KEY = {
  keyId: 'k1',
  issuer: 'my-issuer',
  algorithm: 'HS256',
  secret: { name: 'my-key' },
};
const WITH_KEYS = {
  ...descriptor({ keySets: [], keys: [KEY] }),
  'secrets/my-key/secret.key': SECRET_TEXT,
};
const KEY_NAMES = {
  '<my-service>': 'my-service',
  '<my-key-id>': 'k1',
  '<my-issuer>': 'my-issuer',
  '<my-secret-name>': 'my-key',
  '<some-secret-text>': SECRET_TEXT,
};
const KEY_FILES = {
  'path/to/secret.key': SECRET_TEXT,
  'path/to/private.key': PRIVATE_PEM,
  'path/to/public.key': PUBLIC_PEM,
};

/** Checks the content and the mode of a generated secret, and that it was not printed. */
function generatedFault(name: string, head: object): NonNullable<SeedLine['fault']> {
  return ({ file, mode, stdout, stderr }) => {
    const path = `secrets/${name}/jwks.json`;
    const [jwk, another] = JSON.parse(file(path) ?? '{"keys":[]}').keys;
    if (another !== undefined) return 'more than one key';
    for (const [member, value] of Object.entries(head))
      if (jwk?.[member] !== value) return `${member} is not ${value}`;
    if (typeof jwk.d !== 'string') return 'no private key';
    if ((stdout + stderr).includes(jwk.d)) return 'the private key is printed';
    return mode(path) === 0o600 ? undefined : 'others can read the key';
  };
}

function secretFault(entries: Readonly<Record<string, string>>): NonNullable<SeedLine['fault']> {
  return ({ file, mode, stdout, stderr }) => {
    for (const [entry, text] of Object.entries(entries)) {
      const path = `secrets/my-key/${entry}`;
      if (file(path) !== text) return `${entry} is not what was given`;
      if (mode(path) !== 0o600) return `others can read ${entry}`;
    }
    return (stdout + stderr).includes(SECRET_TEXT) ? 'the secret is printed' : undefined;
  };
}

/**
 * Checks that the keys are in a secret, the keyset has their algorithm, and the list is removed.
 */
function migratedFault(prefix: string): NonNullable<SeedLine['fault']> {
  return ({ jwt, file }) => {
    if (jwt === undefined || Object.hasOwn(jwt, 'keys')) return 'the keys are still there';
    const [keyset] = JSON.parse(JSON.stringify(jwt.keySets));
    if (keyset?.issuer !== 'my-issuer') return 'the issuer is another';
    if (keyset.allowedAlgorithms?.join() !== 'HS256') return 'the algorithm is not said';
    if (!keyset.secret?.name.startsWith(prefix)) return `the secret is called ${keyset.secret?.name}`;
    const { keys } = JSON.parse(file(`secrets/${keyset.secret.name}/jwks.json`) ?? '{}');
    const k = Buffer.from(SECRET_TEXT).toString('base64url');
    return keys?.length === 1 && keys[0].kid === 'k1' && keys[0].k === k ? undefined : 'the key is another';
  };
}

/** The lines for keysets. */
export const KEYSET_LINES: readonly SeedLine[] = [
  {
    line: 'akka service jwks list my-service',
    before: THREE,
    stdout: `ISSUER                        SOURCE
https://accounts.google.com   oidc-discovery
https://example.com           https://example.com/.well-known/jwks.json
my-issuer                     secret: my-jwks-secret
`,
  },
  {
    line: 'akka service jwks add my-service --oidc-discovery --issuer https://accounts.google.com',
    before: EMPTY,
    jwt: { keySets: [google] },
    requests: [
      'https://accounts.google.com/.well-known/openid-configuration',
      'https://accounts.google.com/keys',
    ],
  },
  {
    line: 'akka service jwks add my-service --oidc-discovery --issuer https://my-org.auth0.com/',
    before: THREE,
    jwt: {
      keySets: [google, example, mine, { issuer: 'https://my-org.auth0.com/', useOidcDiscovery: true }],
    },
    requests: ['https://my-org.auth0.com/.well-known/openid-configuration', 'https://my-org.auth0.com/keys'],
    fault: keepsComment,
  },
  {
    line: 'akka service jwks add my-service --jwks-url https://example.com/.well-known/jwks.json --issuer https://example.com',
    before: EMPTY,
    jwt: { keySets: [example] },
    requests: ['https://example.com/.well-known/jwks.json'],
  },
  {
    line: 'akka service jwks add my-service --secret my-jwks-secret --issuer my-issuer',
    before: { ...EMPTY, 'secrets/my-jwks-secret/jwks.json': JSON.stringify(JWKS) },
    jwt: { keySets: [mine] },
  },
  {
    line: 'akka service jwks add my-service --external-secret my-ext-secret --secret-key keys.json --issuer my-issuer',
    before: EMPTY,
    jwt: {
      keySets: [{ issuer: 'my-issuer', externalSecret: { name: 'my-ext-secret', key: 'keys.json' } }],
    },
  },
  {
    line: 'akka service jwks generate my-service --algorithm RS256 --key-id my-key-id --issuer https://example.com',
    before: EMPTY,
    jwt: {
      keySets: [{ issuer: 'https://example.com', secret: { name: 'my-key-id', key: 'jwks.json' } }],
    },
    fault: generatedFault('my-key-id', { kty: 'RSA', kid: 'my-key-id', alg: 'RS256' }),
  },
  {
    line: 'akka service jwks generate my-service --algorithm ES256 --key-id signing-key --secret my-jwks-secret',
    before: EMPTY,
    jwt: { keySets: [{ secret: { name: 'my-jwks-secret', key: 'jwks.json' } }] },
    fault: generatedFault('my-jwks-secret', { kty: 'EC', kid: 'signing-key', alg: 'ES256' }),
  },
  {
    line: 'akka service jwks update my-service --issuer https://accounts.google.com --refresh-interval 30m',
    before: THREE,
    jwt: { keySets: [{ ...google, refreshInterval: '30m' }, example, mine] },
    fault: keepsComment,
  },
  {
    line: 'akka service jwks update my-service --index 2 --allowed-algorithms RS256 --allowed-algorithms ES256',
    before: THREE,
    jwt: { keySets: [google, { ...example, allowedAlgorithms: ['RS256', 'ES256'] }, mine] },
    fault: keepsComment,
  },
  {
    line: 'akka service jwks update my-service --index 1 --jwks-url https://example.com/new-jwks.json',
    before: descriptor({ keySets: [example] }),
    jwt: { keySets: [{ ...example, jwksUrl: 'https://example.com/new-jwks.json' }] },
    requests: ['https://example.com/new-jwks.json'],
  },
  {
    line: 'akka service jwks remove my-service --issuer https://accounts.google.com',
    before: THREE,
    jwt: { keySets: [example, mine] },
  },
  {
    line: 'akka service jwks remove my-service --index 2',
    before: THREE,
    jwt: { keySets: [google, mine] },
    fault: keepsComment,
  },
];

/** The lines for the deprecated keys, secrets, and the migration. */
export const KEY_LINES: readonly SeedLine[] = [
  { line: 'akka service jwks migrate my-service', before: WITH_KEYS, fault: migratedFault('my-service') },
  {
    line: 'akka service jwks migrate my-service --secret-prefix my-prefix',
    before: WITH_KEYS,
    fault: migratedFault('my-prefix'),
  },
  {
    line: 'akka services jwts list <my-service>',
    fill: KEY_NAMES,
    before: WITH_KEYS,
    stdout: 'KEY ID   ISSUER      ALGORITHM   SECRET\nk1       my-issuer   HS256       my-key\n',
    fault: ({ stderr }) => (/deprecated/.test(stderr) ? undefined : 'there is no warning of deprecation'),
  },
  {
    line: 'akka services jwts list <my-service> -o json',
    fill: KEY_NAMES,
    before: WITH_KEYS,
    stdout: `${JSON.stringify(
      [{ ...KEY, secret: { name: 'my-key', secretKey: Buffer.from(SECRET_TEXT).toString('base64') } }],
      null,
      2,
    )}\n`,
    fault: ({ stderr }) => (/secrets in the clear/.test(stderr) ? undefined : 'there is no warning'),
  },
  {
    line: 'akka services jwts generate <my-service> --key-id <my-key-id> --algorithm HS256 --issuer <my-issuer> --secret <my-secret-name>',
    fill: KEY_NAMES,
    before: EMPTY,
    jwt: { keySets: [], keys: [KEY] },
    fault: ({ file, mode }) => {
      if (mode('secrets/my-key/secret.key') !== 0o600) return 'others can read the secret';
      return (file('secrets/my-key/secret.key')?.length ?? 0) > 0 ? undefined : 'there is no secret';
    },
  },
  {
    line: 'akka services jwts add <my-service> --key-id <my-key-id> --algorithm HS256 --issuer <my-issuer> --secret <my-secret-name>',
    fill: KEY_NAMES,
    before: { ...EMPTY, 'secrets/my-key/secret.key': SECRET_TEXT },
    jwt: { keySets: [], keys: [KEY] },
  },
  {
    line: 'akka secrets create symmetric <my-secret-name> --secret-key-literal "<some-secret-text>"',
    fill: KEY_NAMES,
    fault: secretFault({ 'secret.key': SECRET_TEXT }),
  },
  {
    line: 'akka secrets create symmetric <my-secret-name> --secret-key /path/to/secret.key',
    fill: KEY_NAMES,
    before: KEY_FILES,
    fault: secretFault({ 'secret.key': SECRET_TEXT }),
  },
  {
    line: 'akka secrets create asymmetric <my-secret-name> --private-key /path/to/private.key --public-key /path/to/public.key',
    fill: KEY_NAMES,
    before: KEY_FILES,
    fault: secretFault({ 'private.key': PRIVATE_PEM, 'public.key': PUBLIC_PEM }),
  },
  {
    line: 'akka secrets create asymmetric <my-secret-name> --private-key /path/to/private.key --extract-public-key',
    fill: KEY_NAMES,
    before: KEY_FILES,
    fault: secretFault({ 'private.key': PRIVATE_PEM, 'public.key': PUBLIC_PEM }),
  },
];

/** Checks the claims of the token on the last line, and that the file contains the same token. */
function tokenFault(user: string, groups: readonly string[]): NonNullable<SeedLine['fault']> {
  return ({ stdout, file }) => {
    const token = /^(?:\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d )?Token: (\S+)$/m.exec(stdout)?.[1];
    if (token === undefined) return 'no token is printed';
    if (file(`.auth/${user}.token`)?.trim() !== token) return 'another token is in the file';
    const [head, claims] = token
      .split('.')
      .slice(0, 2)
      .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()));
    if (head.alg !== 'RS512' || head.typ !== 'JWT') return 'its header is another';
    if (claims.sub !== user || claims.groups.join() !== groups.join()) return 'its claims are others';
    const days = (claims.exp - Date.now() / 1000) / 86_400;
    return days > 99.9 && days <= 100 ? undefined : `it expires after ${days} days`;
  };
}

/** The lines for a key pair and its tokens. */
export const TOKEN_LINES: readonly SeedLine[] = [
  {
    line: 'okctl tokens init',
    fault: ({ stdout, file, mode }) => {
      const said = [
        'Private Key generated',
        'Public key generated',
        'Key saved to: .auth/id_rsa.pub',
        'Key saved to: .auth/id_rsa',
        'System token saved to: .auth/system.token',
      ];
      const lines = stdout.split('\n');
      const missing = said.find((text) => !lines.some((line) => line.endsWith(text)));
      if (missing !== undefined) return `the output lacks: ${missing}`;
      if (file('.auth/id_rsa.pub')?.startsWith('-----BEGIN PUBLIC KEY') !== true) return 'no public key';
      const [, claims = ''] = file('.auth/system.token')?.split('.') ?? [];
      const { sub, groups } = JSON.parse(Buffer.from(claims, 'base64url').toString());
      if (sub !== 'okera' || groups.join() !== 'root') return 'the system token is of somebody else';
      return mode('.auth/id_rsa') === 0o600 && mode('.auth') === 0o700
        ? undefined
        : 'other users can read it';
    },
  },
  {
    line: 'okctl tokens create analyst analyst_group',
    first: ['okctl tokens init'],
    fault: tokenFault('analyst', ['analyst_group']),
  },
  {
    line: 'okctl tokens create <username> [<groups>...]',
    fill: { '<username>': 'jane', '[<groups>...]': 'one two' },
    first: ['okctl tokens init'],
    fault: tokenFault('jane', ['one', 'two']),
  },
  {
    line: 'okctl tokens show analyst',
    first: ['okctl tokens init', 'okctl tokens create analyst analyst_group'],
    fault: tokenFault('analyst', ['analyst_group']),
  },
  {
    line: 'okctl tokens show <username>',
    fill: { '<username>': 'jane' },
    first: ['okctl tokens init', 'okctl tokens create jane'],
    fault: tokenFault('jane', []),
  },
];
