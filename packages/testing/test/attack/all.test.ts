// Every attack can be let in, and is then reported: against services that refuse nothing but a
// request without anything in it.
import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import type { AuthenticatorOptions } from '@latchkey/core';
import { expect, it, onTestFinished } from 'vitest';
import { ATTACKS } from '../../src/attack/attacks/all.ts';
import {
  type AttackOptions,
  attack,
  createIssuer,
  generateSigningKey,
  type IssuerOptions,
} from '../../src/index.ts';

/** Refuses the bare request, and answers all others but those for a path that does not exist. */
const lax: RequestListener = (request, response) => {
  const { method, url = '', headers } = request;
  const names = Object.keys(headers).filter((name) => !/^(?:host|connection|content-\w+)$/.test(name));
  const isBare = url === '/api/orders' && names.length === 0 && method === 'POST';
  const isOpen = url.startsWith('/latchkey-attack') || (['/', '/health'].includes(url) && names.length === 0);
  response.setHeader('content-type', 'application/json');
  const body = isOpen ? '{}' : '{"orders":[]}';
  response.writeHead(isBare ? 401 : 200, { 'content-length': body.length }).end(body);
};
const laxForGet: RequestListener = (request, response) => {
  request.method = request.method === 'GET' ? 'POST' : String(request.method);
  lax(request, response);
};

async function letIn(
  how: IssuerOptions,
  options: Partial<AuthenticatorOptions>,
  more: Partial<AttackOptions>,
  method = 'GET',
) {
  const [issuer, otherIssuer] = await Promise.all([createIssuer(how), createIssuer()]);
  onTestFinished(async () => {
    await Promise.all([issuer.close(), otherIssuer.close()]);
  });
  const requires = { scope: 'read', roles: ['admin'], level: 4, internal: true };
  return attack({
    target: method === 'GET' ? laxForGet : lax,
    routes: [{ method, path: '/api/orders', requires }],
    options: { ...issuer.options, ...options } as AuthenticatorOptions,
    issuer,
    otherIssuer,
    ...more,
  });
}

/** Node reads no method in small letters. A connection to x5u and jku is tested elsewhere. */
const NEVER = ['T-090/lower-case'];

it('every attack is let in by a service that refuses nothing', async () => {
  const { privateKey } = await generateSigningKey('RS256');
  const pem = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString();
  const reports = [
    await letIn(
      { algorithm: 'RS256' },
      {
        tokenFrom: [{ header: 'Authorization' }, { cookie: 'session' }, { query: 'token' }],
        maxTokenAge: '10m',
        maxLifetime: '10m',
        typ: 'at+jwt',
      },
      { publicPaths: ['/health'] },
    ),
    await letIn(
      {},
      {
        tokenFrom: [{ cookie: 'session' }],
        keySets: [{ issuer: 'partner', publicKeys: [{ pem, algorithm: 'RS256' }] }],
      },
      { publicPaths: ['/health'] },
      'POST',
    ),
    await letIn({}, { dpop: { mode: 'required', publicUrl: 'http://localhost' } }, {}),
  ];
  const ids = new Set(reports.flatMap((report) => report.letIn.map(({ id }) => id)));
  const missing = ATTACKS.map(({ id }) => id).filter((id) => !ids.has(id));
  expect(missing).toEqual(NEVER);
  for (const report of reports)
    for (const { id, reason } of report.skipped) expect(reason, id).toMatch(/^[a-z].+[^.]$/s);
});

it('every attack has an id of its own, and a row of the threat model', () => {
  const threats = readFileSync(new URL('../../../../docs/spec/threats.md', import.meta.url), 'utf8');
  const ids = ATTACKS.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) expect(threats).toContain(`\n| ${id.slice(0, 5)} |`);
});
