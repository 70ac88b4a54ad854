// `--serve` as a user runs it: the real services and provider, and every command that it prints,
// sent without curl.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { frameworks } from '../src/service.ts';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

it('the commands of --serve get the status that they name', { timeout: 60_000 }, async () => {
  const child = spawn(process.execPath, ['--conditions=source', main, '--serve'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exported: string[] = [];
  const variables = new Map<string, string>();
  const wrong: string[] = [];
  let sent = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const [, name, value] = /^export (\w+)=(\S+)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) {
      exported.push(name);
      variables.set(name, value);
    }
    const expected = /expected (\d+), got/.exec(line)?.[1];
    if (expected !== undefined) {
      const status = await send(line, variables);
      sent++;
      if (String(status) !== expected) wrong.push(`${line}: ${status}`);
    }
    if (line.includes('Ctrl-C')) child.kill('SIGTERM');
  }
  if (child.exitCode === null) await once(child, 'exit');
  expect(wrong).toEqual([]);
  expect(sent).toBe(7 * frameworks.length);
  // One token of a friend for each service, and each other token once.
  expect(exported.filter((name) => name !== 'FRIEND')).toEqual(['ALICE', 'BOB']);
});

/** Sends the request of a curl command. */
async function send(command: string, variables: ReadonlyMap<string, string>): Promise<number> {
  const fill = (text: string) => text.replace(/\$(\w+)/g, (_, name) => variables.get(name) ?? '');
  const [, url = ''] = / (http:\S+)/.exec(command) ?? [];
  const headers = [...command.matchAll(/ -H (["'])(.*?)\1/g)].map(([, , text = '']) => {
    const colon = text.indexOf(': ');
    return [text.slice(0, colon), fill(text.slice(colon + 2))] as [string, string];
  });
  const [, single, double] = / -d (?:'([^']*)'|"((?:[^"\\]|\\.)*)")/.exec(command) ?? [];
  const body = single ?? (double === undefined ? undefined : fill(double.replaceAll('\\"', '"')));
  const { status } = await fetch(url, {
    headers,
    ...(body === undefined ? {} : { method: 'POST', body }),
  });
  return status;
}
