// What a preset is: a name for ordinary options. The presets themselves are in the files next to
// this one, and none of them exists outside of the command line.
import type { JsonObject, JsonValue } from '@latchkey/core';
import type { Comments } from '@latchkey/core/tools';
import type { FlagName, FlagValues } from './flags.ts';

/** A keyset as it is written, with a comment on each option. */
export interface PresetKeyset {
  readonly options: JsonObject;
  readonly comments: Comments;
}

/** The options that a preset writes. */
export interface Written {
  readonly keysets: readonly PresetKeyset[];
  /** The header that has the token, if it is not `Authorization`. */
  readonly header?: { readonly name: string; readonly comment: string };
}

/** A provider that `jwks add --provider` knows. */
export interface Provider {
  readonly name: string;
  /** The page in `docs/providers`, without its extension. */
  readonly page: string;
  /** The flags that it needs; of several in one list, at least one. */
  readonly needs: readonly (readonly FlagName[])[];
  /** Other flags that it takes. */
  readonly takes: readonly FlagName[];
  /** Flags for an example, which is part of messages. */
  readonly example: string;
  /** Files without which the keys cannot be read, as in a pod only. */
  readonly keysNeed?: string;
  write(flags: FlagValues): Written;
}

/** One option of a keyset: its name, its value and the comment on it. */
type Row = readonly [name: string, value: JsonValue | undefined, comment: string];

/** A keyset from its options, in this order. An option that is undefined is left out. */
export function presetKeyset(...rows: readonly Row[]): PresetKeyset {
  const given = rows.flatMap(([name, value, comment]) =>
    value === undefined ? [] : [{ name, value, comment }],
  );
  return {
    options: Object.fromEntries(given.map(({ name, value }) => [name, value])),
    comments: Object.fromEntries(given.map(({ name, comment }) => [name, comment])),
  };
}

/** The value alone, or a list of several. */
export function oneOrMany(values: readonly string[]): JsonValue {
  const [only = '', ...others] = values;
  return others.length === 0 ? only : values;
}

/** A rule: the claim is one of these values. */
export function oneOf(values: readonly string[]): JsonValue {
  const [only = '', ...others] = values;
  return others.length === 0 ? only : { anyOf: values };
}

/** Rules without those that are undefined. */
export function rules(all: { readonly [claim: string]: JsonValue | undefined }): JsonObject | undefined {
  const given = Object.entries(all).filter((entry): entry is [string, JsonValue] => entry[1] !== undefined);
  return given.length === 0 ? undefined : Object.fromEntries(given);
}
