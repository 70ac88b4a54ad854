// The public exports of @latchkey/testing. No code is here.

export type { AttackTakes } from './attack/attack.ts';
export { attack } from './attack/index.ts';
export type {
  AttackAnswer,
  AttackIssuer,
  AttackOptions,
  AttackRoute,
  AttackTarget,
  FetchTarget,
} from './attack/options.ts';
export type { AttackOutcome, AttackReport, AttackResult } from './attack/report.ts';
export type { ClientCertificate } from './client-certificate.ts';
export { createClientCertificate } from './client-certificate.ts';
export type { TestClock } from './clock.ts';
export { createClock } from './clock.ts';
export type { DpopKey, ProofParts } from './dpop.ts';
export { createDpopKey } from './dpop.ts';
export type { Fault } from './faults.ts';
export type { IssuerOptions, RequestCounts, TestIssuer } from './issuer.ts';
export { createIssuer } from './issuer.ts';
export type { SigningKey } from './keys.ts';
export { generateSigningKey } from './keys.ts';
export type { ForgedParts, MintClaims } from './mint.ts';
export { forge, mint } from './mint.ts';
