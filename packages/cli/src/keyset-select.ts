// Selects a keyset of a descriptor by its issuer, by its position in the list, or by both, if they
// agree.
import { ConfigError } from '@latchkey/core';
import type { DescriptorDocument } from '@latchkey/core/tools';
import { interpolate } from '@latchkey/core/tools';
import { type Command, InvalidArgumentError } from 'commander';
import type { Context } from './context.ts';
import { misused } from './failure.ts';
import { type Data, listIn, textIn } from './keyset-source.ts';
import { plain } from './output.ts';

/** The options that select a keyset. */
export interface Selection {
  readonly issuer?: string | undefined;
  /** Counts from 1, as the list shows them. */
  readonly index?: number | undefined;
}

/** `--issuer` and `--index`. */
export function withSelection(to: Command): Command {
  return to
    .option('--issuer <issuer>', 'the keyset of this issuer')
    .option('--index <number>', 'the keyset at this position of the list, from 1', readIndex);
}

/**
 * @returns the keyset and its position, counted from 0.
 * @throws Failure unless exactly one matches
 */
export function selectKeyset(
  { terminal }: Context,
  document: DescriptorDocument,
  { issuer, index }: Selection,
): { readonly keyset: Data; readonly index: number } {
  const keysets = listIn(document, 'keySets');
  if (issuer === undefined && index === undefined)
    throw misused('expected --issuer or --index, to select a keyset');
  const ofIssuer = keysets.flatMap((keyset, at) => (isOf(keyset, issuer, terminal.env) ? [at] : []));
  if (issuer !== undefined && ofIssuer.length === 0)
    throw misused(`no keyset has the issuer ${plain(issuer)}`);
  const at = index === undefined ? ofIssuer[0] : index - 1;
  const keyset = at === undefined ? undefined : keysets[at];
  if (at === undefined || keyset === undefined)
    throw misused(`there is no keyset ${index}; the list has ${keysets.length}`);
  if (issuer !== undefined && index !== undefined && !ofIssuer.includes(at))
    throw misused(
      `--issuer and --index name two keysets: ${plain(issuer)} is not the issuer of number ${index}`,
    );
  if (index === undefined && ofIssuer.length > 1) {
    const positions = ofIssuer.map((position) => position + 1).join(', ');
    throw misused(`several keysets have the issuer ${plain(issuer ?? '')}; use --index: ${positions}`);
  }
  return { keyset, index: at };
}

/** Compares the issuer as written, and with its variables replaced. */
function isOf(keyset: Data, issuer: string | undefined, environment: Context['terminal']['env']): boolean {
  const written = textIn(keyset, 'issuer');
  if (written === undefined || issuer === undefined) return false;
  return written === issuer || resolved(written, environment) === issuer;
}

function resolved(written: string, environment: Context['terminal']['env']): string | undefined {
  try {
    return interpolate(written, environment);
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}

function readIndex(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('Expected a number from 1.');
  return Number(text);
}
