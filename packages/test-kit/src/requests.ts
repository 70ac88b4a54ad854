// Sends the requests of a page: its shell commands with `curl`, to a program that runs.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { QuickStart } from './quick-start.ts';

const HOST = 'localhost:3000';

/** A program of Node that does what pages ask of `curl`, for machines without it. */
export const CURL = fileURLToPath(new URL('./curl-process.ts', import.meta.url));

/**
 * Shell code that makes `curl` print the status alone. It uses the `curl` of the machine, or else
 * runs `$CURL` by `$NODE`.
 */
export const STATUS_ONLY = `if command -v curl >/dev/null
then curl() { command curl --silent --noproxy '*' --output /dev/null --write-out '%{http_code}\\n' "$@"; }
else curl() { "$NODE" "$CURL" "$@"; }
fi`;

/** The statuses of a page, and those of the answers, in the order of the commands. */
export interface Answers {
  readonly expected: readonly string[];
  readonly got: readonly string[];
}

/** The blocks of `sh` in a text that send requests. */
export function requestsIn(text: string): string {
  return [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)]
    .map(([, code = '']) => code)
    .filter((code) => code.includes(HOST))
    .join('\n');
}

/**
 * Runs shell commands that send requests to `localhost:3000`, with the tokens that the program has
 * printed as variables. Each command ends with the status that it gets: `# 401`.
 */
export async function sendRequests(
  script: string,
  { url, tokens }: Pick<QuickStart, 'url' | 'tokens'>,
): Promise<Answers> {
  const env = { ...process.env, ...Object.fromEntries(tokens), NODE: process.execPath, CURL };
  const asked = script.replaceAll(HOST, new URL(url).host);
  const { stdout } = await promisify(execFile)('sh', ['-euc', `${STATUS_ONLY}\n${asked}`], { env });
  return {
    expected: [...script.matchAll(/# (\d{3})$/gm)].map(([, status = '']) => status),
    got: stdout.split('\n').filter((line) => line !== ''),
  };
}
