// Kubernetes: tokens of service accounts, verified in the cluster that made them.
import type { FlagValues } from './flags.ts';
import { oneOf, oneOrMany, type Provider, presetKeyset, rules } from './preset.ts';

/** Where each pod finds what it needs for calls to the API server. */
const MOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
/** The issuer of a cluster that kubeadm, kind or minikube has made. */
const USUAL_ISSUER = 'https://kubernetes.default.svc.cluster.local';

/** `kubernetes`: projected tokens of service accounts. */
export const kubernetes: Provider = {
  name: 'kubernetes',
  page: 'kubernetes',
  needs: [['audience']],
  takes: ['issuer', 'serviceAccount'],
  example: '--audience orders --service-account shop/checkout',
  keysNeed: `${MOUNT}/token`,
  write: ({ audience, issuer: [issuer = USUAL_ISSUER], serviceAccount }: FlagValues) => ({
    keysets: [
      presetKeyset(
        ['issuer', issuer, 'Kubernetes: the service accounts of this cluster'],
        [
          'jwksUrl',
          'https://kubernetes.default.svc/openid/v1/jwks',
          'The API server, by the name that it has in each pod.',
        ],
        [
          'headers',
          { authorization: { prefix: 'Bearer ', file: `${MOUNT}/token` } },
          'The API server asks for a token. This one is in each pod, is replaced while the pod runs,\nand may read the keys without further permissions.',
        ],
        [
          'tls',
          { ca: { file: `${MOUNT}/ca.crt` } },
          'The authority of the cluster has made the certificate.',
        ],
        ['proxy', false, 'The API server is in the cluster, even where HTTPS_PROXY is set.'],
        [
          'audience',
          oneOrMany(audience),
          'The audience of a projected token. The token that each pod has anyway is for the API\nserver, and must not pass here.',
        ],
        [
          'claims',
          rules({
            sub:
              serviceAccount.length === 0
                ? undefined
                : oneOf(serviceAccount.map((name) => `system:serviceaccount:${name.replace('/', ':')}`)),
          }),
          'The service accounts that may call.',
        ],
      ),
    ],
  }),
};
