// `latchkey jwks update`: changes a keyset in place. It does not change the kind of its source.
import type { JsonValue } from '@latchkey/core';
import { type KeysetChanges, updateKeyset } from '@latchkey/core/tools';
import type { Command } from 'commander';
import { type Context, command, type FileOptions, withFile } from '../context.ts';
import { misused } from '../failure.ts';
import { openDescriptorFile } from '../files.ts';
import { checkOptions, checkSource, type Flags, orSkip, START_WITHOUT_KEYS } from '../keyset-check.ts';
import { type Selection, selectKeyset, withSelection } from '../keyset-select.ts';
import { type Data, textIn } from '../keyset-source.ts';
import { readNames } from '../read-names.ts';

interface UpdateOptions extends FileOptions, Selection {
  readonly newIssuer?: string;
  readonly allowedAlgorithms?: readonly string[];
  readonly clearAllowedAlgorithms?: true;
  readonly refreshInterval?: string;
  readonly clearRefreshInterval?: true;
  readonly jwksUrl?: string;
  readonly skipValidation?: true;
  readonly startWithoutKeys?: true;
  readonly clearSkipValidation?: true;
  readonly allowHttp?: true;
}

/** `jwks update`. */
export function update(context: Context): Command {
  return withSelection(
    withFile(
      command('update', 'Change a keyset. To change its kind of source, remove it and add another.', [
        'latchkey jwks update my-service --issuer https://accounts.google.com --refresh-interval 30m',
        'latchkey jwks update my-service --index 2 --allowed-algorithms RS256 --allowed-algorithms ES256',
        'latchkey jwks update my-service --index 1 --jwks-url https://example.com/new-jwks.json',
      ]),
    ),
  )
    .argument('[service]', 'the name of the service')
    .option('--new-issuer <issuer>', 'another issuer')
    .option(
      '--allowed-algorithms <names>',
      'accept only these algorithms instead of the previous ones; separate with commas, or repeat the option',
      readNames,
    )
    .option('--clear-allowed-algorithms', 'no restriction of algorithms')
    .option('--refresh-interval <duration>', 'how long fetched keys are used at most, such as 30m')
    .option('--clear-refresh-interval', 'the default again, 1h')
    .option('--jwks-url <url>', 'another URL, for a keyset that has one')
    .option('--skip-validation', 'do not read the keys of the new source; the service reads them as always')
    .option(...START_WITHOUT_KEYS)
    .option('--clear-skip-validation', 'the start of the service waits for these keys again')
    .option('--allow-http', 'permits http, and writes allowHttp: true: for loopback and tests')
    .action((service: string | undefined, options: UpdateOptions) => run(context, service, options));
}

async function run(context: Context, service: string | undefined, options: UpdateOptions): Promise<void> {
  const { output } = context;
  const file = await openDescriptorFile(context, options, service);
  const { keyset, index } = selectKeyset(context, file.document, options);
  const changes = changesOf(options, keyset);
  const name = `keySets[${index}]`;
  const changed = withChanges(keyset, changes);
  checkOptions(context, changed, name, flagsOf(options));
  const text = updateKeyset(file.document, index, changes);
  if (options.allowHttp === true)
    output.warn('over http, an attacker on the network can replace the keys; do not use it in production');
  if (movesSource(options, keyset)) {
    if (options.skipValidation === true) output.note('not validated, because of --skip-validation');
    else
      await checkSource(context, changed, name, { secrets: file.store, externalSecrets: undefined }).catch(
        orSkip,
      );
    if (changed.skipValidation === true)
      output.note(
        'the start of the service does not wait for these keys, because of skipValidation; --clear-skip-validation removes it',
      );
  }
  await file.save(text);
  output.note(
    text === file.document.text ? 'nothing to change' : `changed keyset ${index + 1} of ${file.name}`,
  );
}

/** The flags of this call. Other options are in the file already. */
function flagsOf({ newIssuer, jwksUrl, allowedAlgorithms, refreshInterval }: UpdateOptions): Flags {
  return {
    ...(newIssuer === undefined ? {} : { issuer: '--new-issuer' }),
    ...(jwksUrl === undefined ? {} : { jwksUrl: '--jwks-url' }),
    ...(allowedAlgorithms === undefined ? {} : { allowedAlgorithms: '--allowed-algorithms' }),
    ...(refreshInterval === undefined ? {} : { refreshInterval: '--refresh-interval' }),
  };
}

function changesOf(options: UpdateOptions, keyset: Data): KeysetChanges {
  const { newIssuer, allowedAlgorithms, refreshInterval, jwksUrl, skipValidation, allowHttp } = options;
  const { startWithoutKeys, clearSkipValidation } = options;
  refuseBoth(options);
  if (jwksUrl !== undefined && textIn(keyset, 'jwksUrl') === undefined)
    throw misused('expected a keyset with a URL for --jwks-url; remove this one and add another');
  if ((skipValidation === true || allowHttp === true) && !movesSource(options, keyset))
    throw misused(
      '--skip-validation and --allow-http require --jwks-url, or --new-issuer for a keyset with discovery',
    );
  const changes: Record<string, JsonValue | undefined> = {
    ...(newIssuer === undefined ? {} : { issuer: newIssuer }),
    ...(jwksUrl === undefined ? {} : { jwksUrl }),
    ...(allowedAlgorithms === undefined ? {} : { allowedAlgorithms }),
    ...(options.clearAllowedAlgorithms === true ? { allowedAlgorithms: undefined } : {}),
    ...(refreshInterval === undefined ? {} : { refreshInterval }),
    ...(options.clearRefreshInterval === true ? { refreshInterval: undefined } : {}),
    ...(startWithoutKeys === true ? { skipValidation: true } : {}),
    ...(clearSkipValidation === true ? { skipValidation: undefined } : {}),
    ...(allowHttp === true ? { allowHttp } : {}),
  };
  if (Object.keys(changes).length === 0) throw misused('expected an option with a change; see --help');
  return changes;
}

function refuseBoth(options: UpdateOptions): void {
  if (options.allowedAlgorithms !== undefined && options.clearAllowedAlgorithms === true)
    throw misused('--allowed-algorithms and --clear-allowed-algorithms exclude each other');
  if (options.refreshInterval !== undefined && options.clearRefreshInterval === true)
    throw misused('--refresh-interval and --clear-refresh-interval exclude each other');
  if (options.startWithoutKeys === true && options.clearSkipValidation === true)
    throw misused('--start-without-keys and --clear-skip-validation exclude each other');
}

/** True if the change gives the keyset another source of keys. */
function movesSource({ jwksUrl, newIssuer }: UpdateOptions, keyset: Data): boolean {
  const isDiscovered = keyset.useOidcDiscovery === true || keyset.useDiscovery !== undefined;
  return jwksUrl !== undefined || (newIssuer !== undefined && isDiscovered);
}

function withChanges(keyset: Data, changes: KeysetChanges): Data {
  return Object.fromEntries(
    Object.entries({ ...keyset, ...changes }).filter(([, value]) => value !== undefined),
  );
}
