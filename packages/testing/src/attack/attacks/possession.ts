// Attacks with tokens that are bound to their sender: without the proof, and with a wrong one.
import { createHash } from 'node:crypto';
import { createClientCertificate } from '../../client-certificate.ts';
import type { DpopKey, ProofParts } from '../../dpop.ts';
import type { Attack, Need } from '../attack.ts';
import type { Bench } from '../bench.ts';
import { placed } from '../carry.ts';
import type { Forgery } from '../forgery.ts';

const STOLEN =
  'A token that is bound to its sender works for every caller that has seen it. Require the proof, or refuse tokens with cnf.';
const PROOF =
  'The proof is not compared with the request. Compare its key, URL, method, time and token, and accept each proof once (RFC 9449 §4.3).';

const judged: Need = ({ config }) =>
  config.ignoresBinding ? 'unsafeAcceptSenderConstrained is true' : undefined;
const proofs: Need = ({ config }) =>
  config.judgesProofs && config.publicUrl !== undefined ? undefined : 'dpop is off';

/** A token that is bound to the key, and a request with it. */
export async function boundRequest(
  { dpop, mint, proof }: Bench,
  parts: Partial<ProofParts> = {},
  key: DpopKey = dpop,
  scheme = 'DPoP',
): Promise<Forgery> {
  const token = await mint({ cnf: dpop.cnf });
  return {
    headers: [
      ['Authorization', `${scheme} ${token}`],
      ['DPoP', await proof({ token, ...parts }, key)],
    ],
  };
}

const proven = (name: string, title: string, forge: (bench: Bench) => Promise<Forgery>): Attack => ({
  id: `T-072/proof-${name}`,
  title: `a proof of DPoP ${title}`,
  advice: PROOF,
  needs: [proofs],
  forge: async (bench) => [await forge(bench)],
});

export const POSSESSION_ATTACKS: readonly Attack[] = [
  {
    id: 'T-072/no-proof',
    title: 'a token that is bound to a key, without a proof',
    advice: STOLEN,
    needs: [judged],
    forge: async ({ mint, dpop, carrier, route }) => {
      const token = await mint({ cnf: dpop.cnf });
      return [placed(carrier, token, route), { headers: [['Authorization', `DPoP ${token}`]] }];
    },
  },
  {
    id: 'T-072/no-certificate',
    title: 'a token that is bound to the certificate of another client',
    advice: STOLEN,
    needs: [judged],
    forge: async ({ mint, carrier, route, attack }) => {
      const { cnf, clientCert } = createClientCertificate();
      const own = placed(carrier, await mint({ cnf }), route);
      // A proxy on loopback may be trusted to say which certificate a client has.
      if (attack.options.mutualTls?.header !== undefined) return [own];
      return [own, { ...own, headers: [...(own.headers ?? []), ['Client-Cert', clientCert]] }];
    },
  },
  {
    id: 'T-072/unbound',
    title: 'a token that is not bound',
    advice: 'The options say that tokens must be bound to their sender. Refuse tokens without cnf.',
    needs: [
      ({ config }) => (config.needsBinding ? undefined : 'the options do not require that tokens are bound'),
    ],
    forge: async ({ mint, carrier, route }) => [placed(carrier, await mint({ cnf: undefined }), route)],
  },
  proven('of-another-key', 'by another key', (bench) => boundRequest(bench, {}, bench.anotherDpop)),
  proven('for-another-url', 'for another URL', (bench) =>
    boundRequest(bench, { url: `https://evil.example${bench.route.path}` }),
  ),
  proven('for-another-path', 'for another path', (bench) =>
    boundRequest(bench, { url: `${bench.config.publicUrl}/latchkey-other` }),
  ),
  proven('for-another-method', 'for another method', (bench) =>
    boundRequest(bench, { method: bench.route.method === 'GET' ? 'POST' : 'GET' }),
  ),
  proven('for-another-token', 'for another token', (bench) =>
    boundRequest(bench, { claims: { ath: createHash('sha256').update('another').digest('base64url') } }),
  ),
  proven('without-token', 'for no token', (bench) => boundRequest(bench, { claims: { ath: undefined } })),
  proven('old', 'of yesterday', (bench) =>
    boundRequest(bench, { atMs: (bench.config.now() - 86_400) * 1_000 }),
  ),
  proven('as-bearer', 'with the scheme Bearer', (bench) => boundRequest(bench, {}, bench.dpop, 'Bearer')),
  proven('twice', 'in two headers', async (bench) => {
    const request = await boundRequest(bench);
    const other = await boundRequest(bench, {}, bench.anotherDpop);
    return { headers: [...(request.headers ?? []), ...(other.headers?.slice(1) ?? [])] };
  }),
  proven('replayed', 'that was used before', async (bench) => ({ ...(await boundRequest(bench)), times: 2 })),
];
