// The time from the start of a process to its first decisions, as a function in a cloud has it: the
// import, a token whose key is in the options, and a token whose key is fetched. Each process
// makes each of them once.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { median } from '@latchkey/test-kit/load';
import { createIssuer } from '@latchkey/testing';
import type { Measurements } from './outcome.ts';

const execute = promisify(execFile);
const AUDIENCE = 'https://api.example.com';

/** Milliseconds of one process. */
interface Times {
  /** From the start of the process to its first line. */
  readonly node: number;
  readonly import: number;
  /** Makes an authenticator with keys in the options, and verifies a token. */
  readonly atHand: number;
  /** Makes an authenticator with a JWKS URL, and verifies a token. */
  readonly fetched: number;
}

/**
 * Measures new processes.
 * @param folder where `@latchkey/core` is installed
 */
export async function coldStarts(folder: string, starts: number): Promise<Measurements> {
  const issuer = await createIssuer();
  try {
    const token = await issuer.mint({ aud: AUDIENCE, sub: 'alice', exp: 4_000_000_000 });
    const { issuer: name, jwks, jwksUrl } = issuer;
    const program = programOf({ issuer: name, jwks }, { issuer: name, jwksUrl, allowHttp: true }, token);
    const times: Times[] = [];
    for (let round = 0; round < starts; round++) {
      const { stdout } = await execute(process.execPath, ['--input-type=module', '--eval', program], {
        cwd: folder,
      });
      times.push(JSON.parse(stdout));
    }
    const row = (title: string, of: (one: Times) => number) => [title, median(times.map(of)).toFixed(1)];
    return {
      title: 'A cold start: milliseconds',
      about: `Medians of ${starts} new processes, one after the other. The keys are fetched over plain http from loopback.`,
      head: ['what', 'ms'],
      rows: [
        row('Node, to the first line of the program', (one) => one.node),
        row('import of @latchkey/core', (one) => one.import),
        row('first token, its key in the options', (one) => one.atHand),
        row('first token, its key fetched', (one) => one.fetched),
      ],
    };
  } finally {
    await issuer.close();
  }
}

function programOf(atHand: object, fetched: object, token: string): string {
  return `
    const began = performance.now();
    const { createAuthenticator } = await import('@latchkey/core');
    const imported = performance.now();
    const verify = async (keyset) => {
      const before = performance.now();
      const authenticator = createAuthenticator({ keySets: [keyset], audience: '${AUDIENCE}' });
      await authenticator.verify('${token}');
      return performance.now() - before;
    };
    const atHand = await verify(${JSON.stringify(atHand)});
    const fetched = await verify(${JSON.stringify(fetched)});
    console.log(JSON.stringify({ node: began, import: imported - began, atHand, fetched }));`;
}
