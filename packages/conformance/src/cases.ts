// All cases that every adapter must pass, as data: a request and the expected answer. `{name}` in a
// request is replaced by that token.
import { callerCases } from './cases/callers.ts';
import { carriageCases } from './cases/carriage.ts';
import type { ConformanceCase } from './cases/case.ts';
import { decisionCases } from './cases/decisions.ts';
import { descriptorCases } from './cases/descriptor.ts';
import { healthCases } from './cases/health.ts';
import { keysetCases } from './cases/keysets.ts';
import { mutualTlsCases } from './cases/mutual-tls.ts';
import { pathCases } from './cases/paths.ts';
import { possessionCases } from './cases/possession.ts';
import { recentCases } from './cases/recent.ts';
import { reportOnlyCases } from './cases/report-only.ts';
import { resourceCases } from './cases/resource.ts';
import { resourcesCases } from './cases/resources.ts';
import { revocationCases } from './cases/revocation.ts';
import { routeCases } from './cases/routes.ts';
import { ruleCases } from './cases/rules.ts';
import { scopeCases } from './cases/scopes.ts';
import { signingCases } from './cases/signing.ts';
import { tokenCases } from './cases/tokens.ts';
import { transportCases } from './cases/transport.ts';

export type { ConformanceCase, Expectation, Variant } from './cases/case.ts';

/** All cases. */
export const cases: readonly ConformanceCase[] = [
  ...carriageCases,
  ...transportCases,
  ...tokenCases,
  ...ruleCases,
  ...reportOnlyCases,
  ...scopeCases,
  ...routeCases,
  ...keysetCases,
  ...healthCases,
  ...recentCases,
  ...callerCases,
  ...descriptorCases,
  ...pathCases,
  ...possessionCases,
  ...mutualTlsCases,
  ...revocationCases,
  ...resourceCases,
  ...resourcesCases,
  ...signingCases,
  ...decisionCases,
];
