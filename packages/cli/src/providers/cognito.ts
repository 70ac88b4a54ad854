// Amazon Cognito user pools. Their access tokens have no aud: the client ID is in another claim.
import { misused } from '../failure.ts';
import type { FlagValues } from './flags.ts';
import { oneOf, type Provider, presetKeyset } from './preset.ts';

/** `cognito`: access tokens of a user pool. */
export const cognito: Provider = {
  name: 'cognito',
  page: 'cognito',
  needs: [['userPool'], ['clientId']],
  takes: ['region'],
  example: '--user-pool eu-west-1_AbCdEf123 --client-id 1h57kf5cpq17m0eml12example',
  write({ userPool: [pool = ''], region, clientId }: FlagValues) {
    const [home = ''] = pool.split('_');
    if (region.some((given) => given !== home))
      throw misused(`--region: expected ${home}, with which the ID in --user-pool begins`);
    return {
      keysets: [
        presetKeyset(
          [
            'issuer',
            `https://cognito-idp.${home}.amazonaws.com/${pool}`,
            'Amazon Cognito: access tokens of this user pool',
          ],
          ['useOidcDiscovery', true, 'The metadata of this issuer say where the keys are.'],
          ['allowedAlgorithms', ['RS256'], 'Cognito signs with no other algorithm.'],
          ['audience', null, 'Access tokens have no aud. The rule on client_id does its work.'],
          [
            'claims',
            { token_use: 'access', client_id: oneOf(clientId) },
            'ID tokens have token_use: id. Without client_id, tokens of every app client of the\npool are accepted.',
          ],
        ),
      ],
    };
  },
};
