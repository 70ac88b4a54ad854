// `latchkey jwks add`: adds a keyset, and validates it before it is written.
import { isDeepStrictEqual } from 'node:util';
import { createDirectoryStore, type JsonObject } from '@latchkey/core';
import { addKeyset, parseDescriptor, setAudience } from '@latchkey/core/tools';
import type { Command } from 'commander';
import { type Context, command, type FileOptions, withFile } from '../context.ts';
import { misused } from '../failure.ts';
import type { DescriptorFile } from '../files.ts';
import { checkOptions, checkSource, type Flags, orSkip, START_WITHOUT_KEYS } from '../keyset-check.ts';
import { listIn, sourceOf, textIn } from '../keyset-source.ts';
import { openOrBegin } from '../new-files.ts';
import { plain } from '../output.ts';
import { readNames } from '../read-names.ts';
import { addProvider, gather, refuseProviderFlags, withProviders } from './jwks-add-provider.ts';

interface AddOptions extends FileOptions {
  readonly provider?: string;
  readonly oidcDiscovery?: true;
  readonly discovery?: string;
  readonly jwksUrl?: string;
  readonly secret?: string;
  readonly externalSecret?: string;
  readonly issuer?: string;
  readonly audience?: readonly string[];
  readonly secretKey?: string;
  readonly allowedAlgorithms?: readonly string[];
  readonly refreshInterval?: string;
  readonly skipValidation?: true;
  readonly startWithoutKeys?: true;
  readonly allowHttp?: true;
  readonly externalSecrets?: string;
}

/** `jwks add`. */
export function add(context: Context): Command {
  const made = withFile(
    command('add', 'Add a keyset with exactly one source, after reading its keys.', [
      'latchkey jwks add my-service --provider auth0 --domain tenant.eu.auth0.com --audience https://api.example.com',
      'latchkey jwks add my-service --oidc-discovery --issuer https://accounts.google.com',
      'latchkey jwks add my-service --jwks-url https://example.com/.well-known/jwks.json --issuer https://example.com',
      'latchkey jwks add my-service --secret my-jwks-secret --issuer my-issuer',
    ]),
  )
    .argument('[service]', 'the name of the service')
    .option('--oidc-discovery', 'keys at the URL in the OpenID metadata of the issuer')
    .option(
      '--discovery <kind>',
      'keys at the URL in the metadata of the issuer: oauth (RFC 8414), oidc (like --oidc-discovery), or any of both',
    )
    .option('--jwks-url <url>', 'keys at this URL, https')
    .option('--secret <name>', 'keys in this secret')
    .option('--external-secret <name>', 'keys in this secret of an external store, such as a vault')
    .option('--issuer <issuer>', 'the issuer of the tokens; required with discovery')
    .option(
      '--audience <audience>',
      'the audience of this service, for a descriptor without one or for a provider; may be repeated',
      gather,
    )
    .option('--secret-key <key>', 'the entry of the secret that holds the keys (default: jwks.json)')
    .option(
      '--allowed-algorithms <names>',
      'accept only these algorithms; separate with commas, or repeat the option',
      readNames,
    )
    .option(
      '--refresh-interval <duration>',
      'how long fetched keys are used at most, such as 30m (default: 1h)',
    )
    .option('--skip-validation', 'add it without reading its keys; the service reads them as always')
    .option(...START_WITHOUT_KEYS)
    .option('--allow-http', 'permits http, and writes allowHttp: true: for loopback and tests')
    .option(
      '--external-secrets <directory>',
      'the directory where external secrets are mounted, for validation',
    )
    .action((service: string | undefined, options: AddOptions) => {
      const { provider } = options;
      if (provider !== undefined) return addProvider(context, service, { ...options, provider });
      refuseProviderFlags(options);
      return run(context, service, options);
    });
  return withProviders(made);
}

async function run(context: Context, service: string | undefined, options: AddOptions): Promise<void> {
  const { output } = context;
  const keyset = keysetOf(options);
  const file = await openOrBegin(context, options, service);
  const keysets = listIn(file.document, 'keySets');
  const name = `keySets[${keysets.length}]`;
  checkOptions(context, keyset, name, FLAGS);
  const same = keysets.findIndex((known) => isDeepStrictEqual(known, keyset));
  if (same !== -1) throw misused(`keyset ${same + 1} is the same`);
  // A descriptor that cannot be changed fails here, before any network request.
  const added = addKeyset(file.document, keyset);
  const text =
    options.audience === undefined ? added : setAudience(parseDescriptor(added, file.name), options.audience);
  warnOf(context, keyset, options);
  await validate(context, keyset, name, options, file);
  await file.save(text);
  const issuer = textIn(keyset, 'issuer');
  if (issuer !== undefined && keysets.some((known) => textIn(known, 'issuer') === issuer))
    output.note(`another keyset has this issuer too; they are tried in their order`);
  output.note(`added keyset ${keysets.length + 1} to ${file.name}: ${plain(sourceOf(keyset))}`);
}

const FLAGS: Flags = {
  issuer: '--issuer',
  jwksUrl: '--jwks-url',
  useOidcDiscovery: '--oidc-discovery',
  useDiscovery: '--discovery',
  secret: '--secret',
  externalSecret: '--external-secret',
  allowedAlgorithms: '--allowed-algorithms',
  refreshInterval: '--refresh-interval',
  allowHttp: '--allow-http',
};

function keysetOf(options: AddOptions): JsonObject {
  const {
    oidcDiscovery,
    discovery,
    jwksUrl,
    secret,
    externalSecret,
    secretKey = 'jwks.json',
    issuer,
  } = options;
  const sources: JsonObject[] = [
    ...(oidcDiscovery === undefined ? [] : [{ useOidcDiscovery: true }]),
    ...(discovery === undefined ? [] : [{ useDiscovery: discovery }]),
    ...(jwksUrl === undefined ? [] : [{ jwksUrl }]),
    ...(secret === undefined ? [] : [{ secret: { name: secret, key: secretKey } }]),
    ...(externalSecret === undefined ? [] : [{ externalSecret: { name: externalSecret, key: secretKey } }]),
  ];
  const [source, another] = sources;
  if (source === undefined || another !== undefined)
    throw misused(
      'expected --provider, or exactly one of --oidc-discovery, --discovery, --jwks-url, --secret and --external-secret',
    );
  const discovers = oidcDiscovery !== undefined ? '--oidc-discovery' : '--discovery';
  const isDiscovered = oidcDiscovery !== undefined || discovery !== undefined;
  const isFetched = isDiscovered || jwksUrl !== undefined;
  if (isFetched && options.secretKey !== undefined)
    throw misused('--secret-key requires --secret or --external-secret');
  if (!isFetched && options.allowHttp === true)
    throw misused('--allow-http requires --oidc-discovery, --discovery or --jwks-url');
  if (externalSecret === undefined && options.externalSecrets !== undefined)
    throw misused('--external-secrets requires --external-secret');
  if (isDiscovered && issuer === undefined) throw misused(`${discovers} needs --issuer`);
  return {
    ...(issuer === undefined ? {} : { issuer }),
    ...source,
    ...(options.allowedAlgorithms === undefined ? {} : { allowedAlgorithms: options.allowedAlgorithms }),
    ...(options.refreshInterval === undefined ? {} : { refreshInterval: options.refreshInterval }),
    ...(options.startWithoutKeys === undefined ? {} : { skipValidation: true }),
    ...(options.allowHttp === undefined ? {} : { allowHttp: true }),
  };
}

function warnOf({ output }: Context, { issuer }: JsonObject, { allowHttp }: AddOptions): void {
  if (issuer === undefined)
    output.warn('without --issuer, the keyset accepts tokens of every issuer that no other keyset names');
  if (allowHttp === true)
    output.warn('over http, an attacker on the network can replace the keys; do not use it in production');
}

async function validate(
  context: Context,
  keyset: JsonObject,
  name: string,
  { skipValidation, externalSecret, externalSecrets }: AddOptions,
  { store }: DescriptorFile,
): Promise<void> {
  const { output, pathOf } = context;
  if (skipValidation === true) {
    output.note('not validated, because of --skip-validation');
    return;
  }
  if (externalSecret !== undefined && externalSecrets === undefined) {
    output.note(
      'not validated; to validate, pass --external-secrets with the directory where they are mounted',
    );
    return;
  }
  await checkSource(context, keyset, name, {
    secrets: store,
    externalSecrets:
      externalSecrets === undefined ? undefined : createDirectoryStore(pathOf(externalSecrets)),
  }).catch(orSkip);
}
