// Generates the JSON Schema of a descriptor, and the rows of the documentation, from the tables of
// options. `pnpm tables` writes the files. The schema of claim rules is in claims/rules-schema.ts.
import { rulesSchema } from '../claims/rules-schema.ts';
import { scopesOptions } from '../claims/scopes.ts';
import { carrierOptions } from '../credentials/options.ts';
import { routeOptions } from '../decision/access.ts';
import { authenticatorOptions, cacheOptions } from '../decision/options.ts';
import { endpointOptions, groupsOptions } from '../groups/options.ts';
import { keysetOptions } from '../keysets/options.ts';
import { tlsOptions } from '../net/tls.ts';
import { mutualTlsOptions } from '../possession/mutual-tls-options.ts';
import { dpopOptions, nonceOptions } from '../possession/options.ts';
import { remoteOptions } from '../remote/options.ts';
import { resourceOptions } from '../resource/options.ts';
import { revocationOptions } from '../revocation/options.ts';
import { signingOptions, signingSchema } from '../signing/options.ts';
import type { Schema, Table } from '../values/option.ts';

/** The JSON Schema 2020-12 of a descriptor. Named parts are under `$defs`. */
export function descriptorSchema(): Schema {
  const defs: Record<string, unknown> = {};
  const resolve = (schema: unknown): unknown => {
    if (Array.isArray(schema)) return schema.map(resolve);
    if (typeof schema !== 'object' || schema === null) return schema;
    const { $def, is, ...rest } = schema as Schema;
    const others = Object.fromEntries(Object.entries(rest).map(([name, part]) => [name, resolve(part)]));
    if (typeof $def !== 'string') return others;
    defs[$def] ??= resolve(is);
    return { ...others, $ref: `#/$defs/${$def}` };
  };
  // `audience` may be set in code, and `keySets` may be replaced by `keys` or `remote`: neither is
  // required in a file.
  const { required: _required, properties, ...options } = authenticatorOptions.schema ?? {};
  const jwt = resolve({ ...options, properties: { ...(properties as Schema), signing: signingSchema } });
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Latchkey service descriptor',
    description:
      'A service and, at service.jwt, the tokens that it accepts. ${NAME} in any text is an environment variable.',
    type: 'object',
    required: ['service'],
    properties: {
      name: { description: 'The name of the service.', type: 'string' },
      service: {
        description: 'The service. Only jwt is read; other members are ignored.',
        type: 'object',
        required: ['jwt'],
        properties: { jwt: { description: 'The tokens that the service accepts.', $ref: '#/$defs/jwt' } },
      },
    },
    $defs: { jwt, ...defs, ...rulesSchema() },
  };
}

/** A row of documentation for one option. */
interface OptionRow {
  readonly name: string;
  /** As written in a descriptor. */
  readonly fallback: string | undefined;
  /** The values that a descriptor may have; undefined for an option that only code can give. */
  readonly schema: Schema | undefined;
  readonly isNeeded: boolean;
  readonly doc: string;
  /** True if `plan` knows the effect of a change. */
  readonly isJudged: boolean;
}

/** The tables of options, for documentation. */
export function optionTables(): readonly { readonly title: string; readonly rows: readonly OptionRow[] }[] {
  const tables: readonly (readonly [title: string, table: Table])[] = [
    ['An authenticator', authenticatorOptions.table],
    ['A protected resource: `resource`', resourceOptions.table],
    ['Proof of possession: `dpop`', dpopOptions.table],
    ['Nonces of proofs: `dpop.nonce`', nonceOptions.table],
    ['Revoked tokens: `revocation`', revocationOptions.table],
    ['Certificates of clients: `mutualTls`', mutualTlsOptions.table],
    ['A keyset: `keySets`', keysetOptions.table],
    ['TLS: `tls`', tlsOptions.table],
    ['Places of a token: `tokenFrom`', carrierOptions.table],
    ['Remote validation: `remote`', remoteOptions.table],
    ['Groups: `groups`', groupsOptions.table],
    ['An endpoint of groups: `groups.endpoint`', endpointOptions.table],
    ['The token cache: `cache`', cacheOptions.table],
    ['A named route: `routes`', routeOptions.table],
    ['How scopes are read: `scopes`', scopesOptions.table],
    ['Signing: `createSigner`, `signing`', signingOptions.table],
  ];
  return tables.map(([title, table]) => ({
    title,
    rows: Object.entries(table).map(([name, { fallback, schema, isNeeded, doc, isJudged }]) => ({
      name,
      fallback: fallback === undefined ? undefined : JSON.stringify(fallback),
      schema,
      isNeeded,
      doc,
      isJudged,
    })),
  }));
}
