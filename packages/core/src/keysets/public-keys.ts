// Public keys given as PEM, one algorithm each: a primary key and its backups. They have no kid, so
// each is tried for any token.

import { basename, dirname } from 'node:path';
import {
  importJwk,
  type KeyPolicy,
  type SkippedKey,
  separate,
  type VerificationKey,
} from '../jwk/import-jwks.ts';
import { withDeadline } from '../net/deadline.ts';
import { DEADLINE_MS } from '../net/limits.ts';
import { readSecretFile, watchFileAt, watchPath } from '../secrets/directory.ts';
import { publicJwkFromPem } from '../secrets/pem.ts';
import type { AlgorithmName } from '../token/algorithms.ts';
import type { KeySource } from './refreshed-keyset.ts';

/** One key, checked. */
export type PublicKeySettings = { readonly algorithm: AlgorithmName } & (
  | { readonly file: string }
  | { readonly pem: string }
);

/**
 * Makes a source of PEM keys. Files are read again at each refresh, and when their folder changes.
 */
export function createPublicKeysSource(keys: readonly PublicKeySettings[], policy: KeyPolicy): KeySource {
  const files = keys.flatMap((key) => ('file' in key ? [key.file] : []));
  return {
    description: 'public-keys',
    place: 'publicKeys',
    async load(signal) {
      const imported = await Promise.all(
        keys.map(async (key) => {
          const pem = 'pem' in key ? key.pem : await readFile(key.file, signal);
          return pem === undefined ? missing(key) : importPem(pem, key.algorithm, policy);
        }),
      );
      const { keys: usable, skipped } = separate(imported);
      // A backup that does not exist yet is skipped. That no key exists is an error.
      if (usable.length === 0)
        throw new Error(`no usable key: ${skipped.map(({ reason }) => reason).join('; ')}`);
      return { keys: usable, skipped, lifetimeMs: undefined };
    },
    ...(files.length === 0
      ? {}
      : {
          watch(changed) {
            // The folder is watched, not the file: editors and deployments replace the file by a
            // new one.
            const folders = [...new Set(files.map((file) => dirname(file)))];
            const names = new Set(files.map((file) => basename(file)));
            const stops = [
              ...folders.map((folder) => watchPath(folder, changed, names)),
              ...files.map((file) => watchFileAt(file, changed)),
            ];
            return () => {
              for (const stop of stops) stop();
            };
          },
        }),
  };
}

/** Imports one PEM public key under its thumbprint. */
export function importPem(
  pem: string | Uint8Array,
  algorithm: AlgorithmName,
  policy: KeyPolicy,
): VerificationKey | SkippedKey {
  try {
    const imported = importJwk({ ...publicJwkFromPem(pem), alg: algorithm }, policy);
    return 'reason' in imported ? imported : Object.freeze({ ...imported, kid: imported.thumbprint });
  } catch (error) {
    if (error instanceof TypeError) return { kid: undefined, reason: error.message };
    throw error;
  }
}

function missing(key: PublicKeySettings): SkippedKey {
  return { kid: undefined, reason: `${'file' in key ? key.file : 'pem'}: the file does not exist (ENOENT)` };
}

async function readFile(file: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
  try {
    return await withDeadline(DEADLINE_MS, signal, (inner) => readSecretFile(file, inner));
  } catch (cause) {
    throw new Error(file, { cause });
  }
}
