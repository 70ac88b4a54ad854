// Runs the programs that a release needs, in the root of the repository.
import { execFileSync } from 'node:child_process';

/** Runs a program, whose output is shown. @throws if it fails */
export function run(command: string, args: readonly string[]): void {
  console.log(`\n$ ${command} ${args.join(' ')}`);
  execFileSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
}

/** The output of a git command. @throws if it fails */
export function git(...args: readonly string[]): string {
  return execFileSync('git', args, { encoding: 'utf8' }).trim();
}

/** @throws if something is not committed */
export function clean(): void {
  const changed = git('status', '--porcelain');
  if (changed !== '') throw new Error(`expected a clean working tree, got:\n${changed}\ncommit it first`);
}
