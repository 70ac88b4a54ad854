// Microsoft Entra ID, whose access tokens are of version 2 or 1, as the manifest of the API says.
import { misused } from '../failure.ts';
import type { FlagValues } from './flags.ts';
import { oneOrMany, type Provider, presetKeyset } from './preset.ts';

/** `entra`: access tokens of version 2, of one tenant or of several. */
export const entra: Provider = {
  name: 'entra',
  page: 'entra',
  needs: [['tenant'], ['clientId']],
  takes: [],
  example: '--tenant 72f988bf-86f1-41af-91ab-2d7cd011db47 --client-id 6e74172b-be56-4843-9ff4-e66a39bb12e3',
  write({ tenant, clientId }: FlagValues) {
    const tenants = tenant.map((id) => id.toLowerCase());
    const [only = '', ...others] = tenants;
    const isOne = others.length === 0;
    return {
      keysets: [
        presetKeyset(
          [
            'issuer',
            `https://login.microsoftonline.com/${isOne ? only : '{tid}'}/v2.0`,
            `Microsoft Entra ID: tokens of version 2 of ${isOne ? 'this tenant' : 'several tenants'}`,
          ],
          [
            'useOidcDiscovery',
            isOne ? true : undefined,
            'The metadata of this issuer say where the keys are.',
          ],
          [
            'jwksUrl',
            isOne ? undefined : 'https://login.microsoftonline.com/common/discovery/v2.0/keys',
            'The keys that all tenants share.',
          ],
          ['allowedAlgorithms', ['RS256'], 'Entra signs with no other algorithm.'],
          [
            'audience',
            oneOrMany(clientId),
            'In tokens of version 2, aud is the client ID of the API, not api://…',
          ],
          ['tenants', isOne ? undefined : tenants, 'The only tenants whose tokens are accepted.'],
          ['bind', isOne ? undefined : { tid: 'tid' }, 'The claim tid has to name the same tenant as iss.'],
        ),
      ],
    };
  },
};

/** `entra-v1`: access tokens of version 1, of one tenant. */
export const entraV1: Provider = {
  name: 'entra-v1',
  page: 'entra',
  needs: [['tenant'], ['audience']],
  takes: [],
  example: '--tenant 72f988bf-86f1-41af-91ab-2d7cd011db47 --audience api://orders',
  write({ tenant, audience }: FlagValues) {
    const [id, another] = tenant.map((one) => one.toLowerCase());
    if (another !== undefined)
      throw misused('--tenant: expected one tenant for entra-v1; run the command for each of them');
    return {
      keysets: [
        presetKeyset(
          [
            'issuer',
            `https://sts.windows.net/${id}/`,
            'Microsoft Entra ID: tokens of version 1 of this tenant',
          ],
          [
            'jwksUrl',
            `https://login.microsoftonline.com/${id}/discovery/keys`,
            'The keys that the metadata of version 1 name.',
          ],
          ['allowedAlgorithms', ['RS256'], 'Entra signs with no other algorithm.'],
          [
            'audience',
            oneOrMany(audience),
            'In tokens of version 1, aud is the URI of the API, as clients ask for it.',
          ],
        ),
      ],
    };
  },
};
