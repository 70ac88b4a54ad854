// Checks the answers of each service before it is timed, so that only correct services are
// compared. Nothing is timed here.
import { ROUTE } from '../terms.ts';

/** The tokens for the check. */
export interface Trial {
  readonly good: string;
  readonly bad: Readonly<Record<string, string>>;
}

/** Checks a service. @throws Error that names the service and the wrong answer */
export async function checkAnswers(
  who: string,
  origin: string,
  checks: boolean,
  trial: Trial,
): Promise<void> {
  const expected: (readonly [what: string, token: string | undefined, status: number])[] = [
    ['a good token', trial.good, 200],
    ['the same token again', trial.good, 200],
    ['no token', undefined, checks ? 401 : 200],
    ...Object.entries(trial.bad).map(([what, token]) => [what, token, checks ? 401 : 200] as const),
  ];
  for (const [what, token, status] of expected) {
    const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const response = await fetch(origin + ROUTE, { headers });
    const body = await response.text();
    if (response.status !== status)
      throw new Error(`${who} answered ${response.status} to ${what}, not ${status}: ${body.slice(0, 300)}`);
    if (status === 200 && !body.startsWith('{"of":"'))
      throw new Error(`${who} answered ${body.slice(0, 300)}`);
  }
}
