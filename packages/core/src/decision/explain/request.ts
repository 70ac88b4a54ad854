// Where the token of a request stands: each place by itself, and then all of them together.
import { readTokenFrom } from '../../credentials/find.ts';
import type { RequestView } from '../../credentials/request.ts';
import type { Settings } from '../options.ts';
import { type ExplainedCheck, refusalIn } from './check.ts';

/** Explains where the token is. @returns it, if there is one */
export function findToken(
  request: RequestView,
  { carriers, tokens }: Settings,
): { readonly token: string | undefined; readonly checks: readonly ExplainedCheck[] } {
  const places = carriers.map((carrier): ExplainedCheck => {
    const about = { check: 'credentials', about: Object.entries(carrier)[0]?.join(' ') ?? '' } as const;
    try {
      const found = readTokenFrom([carrier]).find(request);
      return {
        ...about,
        outcome: found === undefined ? 'out' : 'passed',
        detail: found === undefined ? 'no token here' : 'a token is here',
      };
    } catch (error) {
      return { ...about, ...refusalIn(error) };
    }
  });
  const about = {
    check: 'credentials',
    about: 'the request',
    expected: 'one token in one place',
    checks: places,
  } as const;
  try {
    const token = tokens.find(request);
    if (token === undefined)
      return {
        token,
        checks: [{ ...about, outcome: 'failed', code: 'credentials_missing', actual: 'none' }],
      };
    return { token, checks: [{ ...about, outcome: 'passed' }] };
  } catch (error) {
    return { token: undefined, checks: [{ ...about, ...refusalIn(error) }] };
  }
}
