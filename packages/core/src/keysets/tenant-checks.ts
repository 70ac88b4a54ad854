// Checks a token of a keyset for many tenants: whether its tenant is welcome, by its issuer alone,
// and whether a claim names the same tenant.
import type { RegisteredCheck } from '../claims/registered.ts';
import { AuthError } from '../errors.ts';
import { own } from '../values/json.ts';
import { kindOf } from '../values/kind.ts';
import { isPromise } from '../values/promise.ts';
import { createAnswers } from './answers.ts';
import type { TenancySettings } from './tenants.ts';

/** Decides which tenants are welcome. */
interface Welcome {
  /**
   * True for the issuer of a welcome tenant; synchronously, unless a function has to be asked.
   * @throws AuthError `keyset_unavailable` (or rejects with it) if the function fails
   */
  accepts(issuer: string): boolean | Promise<boolean>;
  close(): void;
}

/** @param name the keyset, for messages */
export function createWelcome(
  { template, tenants, maxTenants }: TenancySettings,
  name: string,
  monotonic: () => number,
): Welcome {
  const judged = (judge: (tenant: string) => boolean): Welcome => ({
    accepts(issuer) {
      const found = template.tenantOf(issuer);
      return found !== undefined && judge(found);
    },
    close() {},
  });
  if (tenants.by === 'nothing') return judged(() => true);
  if (tenants.by === 'list') return judged((one) => tenants.names.has(one));
  if (tenants.by === 'pattern') return judged(tenants.matches);
  const { ask } = tenants;
  const answers = createAnswers<true, true>({
    name: `${name}.tenants: the function`,
    most: maxTenants,
    monotonic,
    ask(issuer) {
      const answer: unknown = ask(template.tenantOf(issuer) ?? '', issuer);
      return isPromise(answer) ? answer.then(trueOrNot) : trueOrNot(answer);
    },
    make: () => true,
  });
  return {
    accepts(issuer) {
      if (template.tenantOf(issuer) === undefined) return false;
      const answer = answers.of(issuer);
      return isPromise(answer) ? answer.then((value) => value === true) : answer === true;
    },
    close: answers.close,
  };
}

function trueOrNot(answer: unknown): true | undefined {
  if (typeof answer === 'boolean') return answer || undefined;
  throw new Error(`expected true or false, got ${kindOf(answer)}`);
}

/** The check that a claim names the tenant of `iss`, if one has to. */
export function bindingChecks(tenancy: TenancySettings | undefined): readonly RegisteredCheck[] {
  if (tenancy?.boundClaim === undefined) return [];
  const { template, boundClaim: claim } = tenancy;
  const expected = `the value of {${template.placeholder}} in iss`;
  const check: RegisteredCheck = {
    claim,
    judge(claims) {
      const issuer = own(claims, 'iss');
      const named = typeof issuer === 'string' ? template.tenantOf(issuer) : undefined;
      if (named !== undefined && own(claims, claim) === named) return undefined;
      return new AuthError('token_claims_invalid', { detail: `${claim}: expected ${expected}` });
    },
    expected: () => expected,
  };
  return [check];
}
