// Runs a sample service as a user would: in its own process, configured by environment variables.
// It sends no requests.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The frameworks; each has one sample service. */
export const frameworks = ['express', 'koa', 'fastify', 'nestjs', 'hono', 'web'] as const;

/** A running service. */
export interface DemoService {
  /** The framework, or `mcp` for the sample of an MCP server. */
  readonly framework: (typeof frameworks)[number] | 'mcp';
  readonly url: string;
  /** The token that services call each other with. */
  systemToken(): Promise<string>;
  /** Sends SIGTERM and resolves with the exit code. */
  stop(): Promise<number | null>;
}

/** The issuer that a service trusts, and the service's audience. */
export interface DemoSettings {
  readonly issuer: string;
  readonly audience: string;
  /** The URL of the service in proofs (DPoP). Default: the audience. */
  readonly publicUrl?: string;
  /** The directory of the system token. Default: a temporary directory, which `stop` deletes. */
  readonly authDirectory?: string;
}

/** Starts the sample service of one framework, and waits until it listens. */
export async function startService(
  framework: DemoService['framework'],
  { issuer, audience, authDirectory, publicUrl = audience }: DemoSettings,
): Promise<DemoService> {
  const own = await mkdtemp(join(tmpdir(), 'latchkey-sample-'));
  const directory = authDirectory ?? join(own, '.auth');
  const main = fileURLToPath(import.meta.resolve(`@latchkey-apps/${framework}/main`));
  const child = spawn(
    process.execPath,
    ['--conditions=source', '--disable-warning=ExperimentalWarning', main],
    {
      env: {
        ...process.env,
        ISSUER: issuer,
        AUDIENCE: audience,
        PUBLIC_URL: publicUrl,
        ALLOW_HTTP_ISSUER: 'true',
        AUTH_DIRECTORY: directory,
        PORT: '0',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const url = await listening(child);
  return {
    framework,
    url,
    systemToken: async () => (await readFile(join(directory, 'system.token'), 'utf8')).trim(),
    async stop() {
      child.kill('SIGTERM');
      if (child.exitCode === null) await once(child, 'exit');
      await rm(own, { recursive: true });
      return child.exitCode;
    },
  };
}

async function listening({ stdout }: ChildProcess): Promise<string> {
  if (stdout === null) throw new Error('the service has no output');
  // Reads the output to its end, because a closed pipe would end the service.
  const lines = createInterface({ input: stdout });
  return new Promise((resolve, reject) => {
    lines.on('line', (line) => {
      const url = /^listening on (\S+)$/.exec(line)?.[1];
      if (url !== undefined) resolve(url);
    });
    lines.on('close', () => reject(new Error('the service stopped before it listened')));
  });
}
