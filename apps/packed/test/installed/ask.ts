// Asks a running application for what its routes answer, with tokens of an issuer for tests.
import type { TestIssuer } from '@latchkey/testing';

/** The statuses of the routes of every sample application, by who asks. */
export const EXPECTED = {
  health: 200,
  anonymous: 401,
  forged: 401,
  reader: 403,
  admin: 200,
  me: 200,
};

/** Asks the routes of a sample application. */
export async function ask(url: string, issuer: TestIssuer): Promise<typeof EXPECTED> {
  const [reader, admin] = await Promise.all([
    issuer.mint({ sub: 'bob', roles: ['reader'] }),
    issuer.mint({ sub: 'alice', roles: ['admin'] }),
  ]);
  const status = async (path: string, token?: string) => {
    const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const answer = await fetch(url + path, { headers });
    await answer.arrayBuffer();
    return answer.status;
  };
  return {
    health: await status('/health'),
    anonymous: await status('/admin'),
    forged: await status('/admin', `${admin.slice(0, -4)}AAAA`),
    reader: await status('/admin', reader),
    admin: await status('/admin', admin),
    me: await status('/me', reader),
  };
}
