// Whether core accepts a draft: its own readers are asked, so that no descriptor leaves here that
// no service would start with. What they refuse is a fault of the source, and said at its place
// there.
import { ConfigError, createMemoryStore } from '@latchkey/core';
import { inspectKeyset, interpolate, parseDescriptor, readOptions, readSigning } from '@latchkey/core/tools';
import { misused } from '../failure.ts';
import { plain } from '../output.ts';
import type { Draft } from './draft.ts';
import type { SourceNode } from './source.ts';

type Members = Readonly<Record<string, unknown>>;

/**
 * Asks core about a draft. Nothing is fetched, and no file is read: those that it names are not on
 * this machine.
 * @param text as it was rendered: it has to say what the draft says
 * @throws Failure with the place in the source
 */
export async function refuseUnusable(draft: Draft, text: string, source: string): Promise<void> {
  const { signing, ...options } = readable(draft, source);
  const secrets = createMemoryStore();
  await ask(draft, source, () => readOptions({ ...options, secrets } as never));
  // The keys in place are only read when they are brought to life.
  for (const [index, keyset] of listOf(options.keySets).entries()) {
    if (!isMembers(keyset) || keyset.jwks === undefined) continue;
    await ask(draft, source, () => inspectKeyset(keyset as never, { name: `keySets[${index}]` }));
  }
  await ask(draft, source, () => readSigning(signing, { secrets }, undefined));
  const { jwt } = parseDescriptor(text, source);
  if (JSON.stringify(jwt) !== JSON.stringify(draft.jwt))
    throw misused(`${source}: cannot be written as YAML so that it says the same`);
}

/** The options as a service has them when it starts, but without the files of other machines. */
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
      'holds a name in braces after a dollar, which a descriptor reads as a variable; put it in by hand after the import';
    return refuseAt(origins, error.path, problem, source);
  }
}

/** A CA file is read by whoever checks the options that name it. */
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

/** At the place of the option, or of the nearest one around it. */
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
