// The conformance suite: for the adapters of this workspace.
export type { ConformanceCase, Expectation } from './cases.ts';
export { cases } from './cases.ts';
export { runQuickStart } from './quick-start.ts';
export type { Route } from './routes.ts';
export { routes } from './routes.ts';
export type { BuildListener, Harness, KnownGaps } from './suite.ts';
export { describeAdapter } from './suite.ts';
