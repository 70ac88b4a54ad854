// Checks a draft with the readers of core, so that a service can start with every imported
// descriptor. An error is a mistake in the source, and is reported at its place there.
import { ConfigError, createMemoryStore } from '@latchkey/core';
import { inspectKeyset, interpolate, parseDescriptor, readOptions, readSigning } from '@latchkey/core/tools';
import { misused } from '../failure.ts';
import { plain } from '../output.ts';
import type { Draft } from './draft.ts';
import type { SourceNode } from './source.ts';

type Members = Readonly<Record<string, unknown>>;

/**
 * Checks a draft with core. It makes no requests and reads no files, because the files that it
 * names may not be on this machine.
 * @param text the rendered text, which must be equal to the draft
 * @throws Failure with the place in the source
 */
export async function refuseUnusable(draft: Draft, text: string, source: string): Promise<void> {
  const { signing, ...options } = readable(draft, source);
  const secrets = createMemoryStore();
  await ask(draft, source, () => readOptions({ ...options, secrets } as never));
  // Core reads inline keys only when it creates the keyset.
  for (const [index, keyset] of listOf(options.keySets).entries()) {
    if (!isMembers(keyset) || keyset.jwks === undefined) continue;
    await ask(draft, source, () => inspectKeyset(keyset as never, { name: `keySets[${index}]` }));
  }
  await ask(draft, source, () => readSigning(signing, { secrets }, undefined));
  const { jwt } = parseDescriptor(text, source);
  if (JSON.stringify(jwt) !== JSON.stringify(draft.jwt))
    throw misused(`${source}: cannot be written as YAML without a change of its meaning`);
}

/** Returns the options as a service would read them, but without the files of other machines. */
function readable({ jwt, variables, origins }: Draft, source: string): Members {
  try {
    const set = interpolate(jwt, Object.fromEntries(variables));
    return Object.fromEntries(
      Object.entries(set).map(([name, value]) => [
        name,
        name === 'keySets' ? listOf(value).map(withoutCa) : withoutCa(value),
      ]),
    );
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const problem =
      'contains a name in braces after a dollar sign, which a descriptor reads as a variable; add it by hand after the import';
    return refuseAt(origins, error.path, problem, source);
  }
}

/** Removes the CA file, because the check of the options would read it. */
function withoutCa(value: unknown): unknown {
  if (!isMembers(value) || !isMembers(value.tls)) return value;
  const { ca: _ca, ...tls } = value.tls;
  return { ...value, tls };
}

async function ask({ origins }: Draft, source: string, check: () => unknown): Promise<void> {
  try {
    await check();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    refuseAt(origins, error.path === 'options' ? '' : error.path, plain(error.problem), source);
  }
}

/** Refuses at the place of the option, or of the nearest one around it. */
function refuseAt(
  origins: ReadonlyMap<string, SourceNode>,
  path: string,
  problem: string,
  source: string,
): never {
  const nearest = [...origins]
    .filter(([known]) => path === known || path.startsWith(`${known}.`) || path.startsWith(`${known}[`))
    .sort(([one], [other]) => other.length - one.length)[0];
  if (nearest !== undefined) nearest[1].refuse(problem);
  throw misused(`${source}: ${plain(path)}: ${problem}`);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
