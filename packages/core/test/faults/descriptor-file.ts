// The file of a descriptor, replaced: each reading of it is a step of the scenario that runs. A
// test file puts it in place with `vi.mock`.
import { ConfigError } from '../../src/errors.ts';
import type { Boundary } from './steps.ts';
import type { World } from './world.ts';

/** A file that a scenario changes. */
interface ShownFile {
  readonly world: World;
  readonly text: string;
}

let current: { readonly file: ShownFile; readonly boundary: Boundary } | undefined;

/** Readers see this file from here on. */
export function show(file: ShownFile, boundary: Boundary): void {
  current = { file, boundary };
}

/** Takes the place of `readDescriptorFile` of descriptor/load.ts. */
export function readDescriptorFile(): string {
  if (current === undefined) throw new Error('no scenario shows a file');
  const { file, boundary } = current;
  try {
    return file.world.take(boundary, () => file.text);
  } catch (cause) {
    throw new ConfigError('descriptor', 'service.yaml cannot be read: EIO', { cause });
  }
}
