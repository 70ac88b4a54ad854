// The clients of the services, and their issuer: valid requests at a fixed rate, whatever comes
// back, and next to them proofs that were used and tokens that were revoked.
import { Agent, get } from 'node:http';
import { createRevocationFeed } from '@latchkey/redis';
import { startLoad } from '@latchkey/test-kit/load';
import { createDpopKey, createIssuer } from '@latchkey/testing';
import { createClient } from 'redis';
import { createReckoning, type Reckoning } from './reckoning.ts';

/** What the measuring process asks for. */
export type Command =
  | {
      readonly op: 'begin';
      readonly redisUrl: string;
      readonly ports: readonly number[];
      readonly rate: number;
      readonly maxStaleMs: number;
    }
  /** Redis is going to be killed. */
  | { readonly op: 'killing' }
  /** Redis accepts connections again, since this time. */
  | { readonly op: 'ready'; readonly atMs: number }
  | { readonly op: 'end' };

/** The URL that the proofs are for. */
export const PUBLIC_URL = 'https://api.example.com';
/** Of each hundred requests, how many have a used proof, and how many a revoked token. */
const [REPLAYS, REVOKED] = [10, 10];
const REVOKE_EACH_MS = 200;

if (process.send !== undefined) await listen();

async function listen(): Promise<void> {
  const issuer = await createIssuer();
  const key = await createDpopKey('EdDSA');
  const agent = new Agent({ keepAlive: true, maxSockets: 512 });
  let end = async (): Promise<unknown> => null;
  let reckoning: Reckoning | undefined;

  async function begin({ redisUrl, ports, rate, maxStaleMs }: Extract<Command, { op: 'begin' }>) {
    const seen = createReckoning(ports.length, maxStaleMs);
    reckoning = seen;
    const feed = createRevocationFeed(createClient({ url: redisUrl }));
    const token = await issuer.mint({ sub: 'alice', cnf: key.cnf });
    const url = `${PUBLIC_URL}/orders`;
    const ask = (service: number, withToken: string, proof: string) =>
      new Promise<number>((resolve, reject) => {
        const headers = { authorization: `DPoP ${withToken}`, dpop: proof };
        get({ host: '127.0.0.1', port: ports[service] ?? 0, path: '/orders', agent, headers }, (answer) => {
          answer.resume().on('end', () => resolve(answer.statusCode ?? 0));
        }).on('error', reject);
      });
    let count = 0;
    async function call(): Promise<void> {
      const number = count++;
      const service = number % ports.length;
      const share = number % 100;
      if (share < REPLAYS) {
        const used = seen.usedProof();
        if (used !== undefined) seen.replayed(await ask(service, token, used));
        return;
      }
      const revoked = share < REPLAYS + REVOKED ? seen.revokedToken() : undefined;
      const proof = await key.proof({ url, token: revoked ?? token });
      if (revoked !== undefined) {
        const sentMs = Date.now();
        seen.askedRevoked(revoked, sentMs, await ask(service, revoked, proof));
        return;
      }
      // Every tenth proof is sent to both services at the same time.
      const others = share % 10 === 0 ? ports.map((_, at) => at) : [service];
      const statuses = await Promise.all(others.map((one) => ask(one, token, proof)));
      seen.asked(others, statuses, proof);
    }
    const load = startLoad([{ call }], rate);
    const revoking = setInterval(() => void revoke().catch(() => {}), REVOKE_EACH_MS);
    async function revoke(): Promise<void> {
      const jti = `revoked-${count}`;
      const bad = await issuer.mint({ sub: 'mallory', jti, cnf: key.cnf });
      await feed.publish({ issuer: issuer.issuer, jti, until: Date.now() + 3_600_000 });
      seen.revoked(bad, Date.now());
    }
    end = async () => {
      clearInterval(revoking);
      const { tally, perSecond } = await load.stop();
      await feed.close();
      agent.destroy();
      await issuer.close();
      return { ...seen.result(), perSecond, failed: tally.failed, total: tally.total };
    };
    return null;
  }

  process.on('message', (command: Command) => {
    if (command.op === 'killing') reckoning?.killing();
    else if (command.op === 'ready') reckoning?.ready(command.atMs);
    else void (command.op === 'begin' ? begin(command) : end()).then((answer) => process.send?.(answer));
  });
  process.on('disconnect', () => process.exit());
  process.send?.({ issuer: issuer.issuer, audience: issuer.audience });
}
