// `latchkey lint` and `latchkey plan` say which routes do not have the settings of the service.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { run } from '../src/index.ts';
import { createTerminal } from './terminal.ts';

let cwd: string;
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'latchkey-routes-'));
});
afterEach(() => rm(cwd, { recursive: true }));

const PLAIN = `name: my-service
service:
  jwt:
    audience: api
    issuers: [https://a.example]
    keySets:
      - issuer: https://a.example
        jwksUrl: https://a.example/jwks
`;
const ROUTES = `${PLAIN}    routes:
      admin:
        claims: { roles: [admin] }
      partner:
        claims: { roles: [partner] }
        issuers: [https://b.example]
      inherited:
        claims: {}
      repeated:
        issuers: [https://a.example]
`;
const LINE =
  'routes that differ from the service: admin (claims), partner (claims, issuers), inherited (the same), repeated (the same); all other routes have its settings';

async function latchkey(...args: readonly string[]) {
  await writeFile(join(cwd, 'plain.yaml'), PLAIN);
  await writeFile(join(cwd, 'routes.yaml'), ROUTES);
  const { terminal, stdout, stderr } = createTerminal({ cwd });
  return { code: await run([...args], terminal), stdout: stdout(), stderr: stderr() };
}

describe.each([
  ['lint', ['lint', '--file', 'routes.yaml'], ['lint', '--file', 'plain.yaml']],
  ['plan', ['plan', 'plain.yaml', 'routes.yaml'], ['plan', 'routes.yaml', 'plain.yaml']],
])('latchkey %s', (_, withRoutes, without) => {
  it('AM-10: says which routes differ from the service', async () => {
    const { code, stderr } = await latchkey(...withRoutes);
    expect(code).toBe(0);
    expect(stderr).toContain(LINE);
  });

  it('AM-10: says it as JSON', async () => {
    const { stdout } = await latchkey(...withRoutes, '--output', 'json');
    expect(JSON.parse(stdout).routes).toEqual([
      { name: 'admin', differs: ['claims'] },
      { name: 'partner', differs: ['claims', 'issuers'] },
      { name: 'inherited', differs: [] },
      { name: 'repeated', differs: [] },
    ]);
  });

  it('AM-10: says nothing where no route is named', async () => {
    expect((await latchkey(...without)).stderr).not.toContain('routes that differ');
  });
});
