// The requests of each grant: token exchange (RFC 8693 §2.1), and a JWT as an authorization grant
// (RFC 7523 §2.1). What they are for is in exchange.ts.
import { AuthError } from '../errors.ts';
import { withDeadline } from '../net/deadline.ts';
import { kindOf } from '../values/kind.ts';
import { type Asked, checkAssertion, type Issued, readAnswer } from './answer.ts';
import type { ExchangeSettings } from './options.ts';
import type { AuthorizationServer, Parameters } from './server.ts';
import type { TargetSettings } from './target.ts';
import { ACCESS_TOKEN } from './token-type.ts';

/**
 * Asks for a token: by an exchange, or with the token as the assertion. For another authorization
 * server, it is the assertion that is sent there.
 * @param subject a digest of what is asked for
 * @throws AuthError
 */
export async function askForToken(
  server: AuthorizationServer,
  settings: ExchangeSettings,
  token: string,
  target: TargetSettings,
  subject: string,
): Promise<Issued> {
  const { grant, requestedTokenType, subjectTokenType, actor, resourceServer } = settings;
  const { scopes } = target;
  if (grant === 'jwt-bearer') {
    const parameters = [...asAssertion(token), ...targeted(target)];
    return askWithAssertion(server, parameters, { sent: [token], scopes }, subject);
  }
  const acting = actor === undefined ? undefined : await tokenOfActor(actor.token, settings.server.timeoutMs);
  const parameters: Parameters = [
    ['grant_type', 'urn:ietf:params:oauth:grant-type:token-exchange'],
    ['subject_token', token],
    ['subject_token_type', subjectTokenType],
    ['requested_token_type', requestedTokenType],
    ...(actor === undefined || acting === undefined
      ? []
      : ([
          ['actor_token', acting],
          ['actor_token_type', actor.tokenType],
        ] as const)),
    ...targeted(target),
  ];
  const sent = acting === undefined ? [token] : [token, acting];
  return server.request(
    parameters,
    (answer) => {
      const issued = readAnswer(answer, { tokenType: requestedTokenType, namesType: true, sent, scopes });
      if (resourceServer !== undefined)
        checkAssertion(issued.token, settings.target.audience[0], settings.clock.now());
      return issued;
    },
    subject,
  );
}

/**
 * Presents the assertion of the first server to the second one, for an access token.
 * @throws AuthError
 */
export function presentAssertion(
  server: AuthorizationServer,
  assertion: Issued,
  token: string,
  subject: string,
): Promise<Issued> {
  const sent = [token, assertion.token];
  return askWithAssertion(server, asAssertion(assertion.token), { sent, scopes: assertion.scopes }, subject);
}

/** RFC 7523 §2.1. Its answer need not name the type of the token. */
function askWithAssertion(
  server: AuthorizationServer,
  parameters: Parameters,
  asked: Pick<Asked, 'sent' | 'scopes'>,
  subject: string,
): Promise<Issued> {
  const all = { ...asked, tokenType: ACCESS_TOKEN, namesType: false };
  return server.request(parameters, (answer) => readAnswer(answer, all), subject);
}

const asAssertion = (assertion: string): Parameters => [
  ['grant_type', 'urn:ietf:params:oauth:grant-type:jwt-bearer'],
  ['assertion', assertion],
];

function targeted({ audience, resource, scopes }: TargetSettings): Parameters {
  return [
    ...audience.map((value) => ['audience', value] as const),
    ...resource.map((value) => ['resource', value] as const),
    ...(scopes.length === 0 ? [] : [['scope', scopes.join(' ')] as const]),
  ];
}

/** The function is the application's, and may fail in any way. */
async function tokenOfActor(find: () => unknown, timeoutMs: number): Promise<string> {
  try {
    const token = await withDeadline(timeoutMs, new AbortController().signal, async () => find());
    if (typeof token !== 'string' || token === '') throw new Error(`expected a text, got ${kindOf(token)}`);
    return token;
  } catch (cause) {
    throw new AuthError('exchange_unavailable', { detail: 'no token of the actor', cause });
  }
}
