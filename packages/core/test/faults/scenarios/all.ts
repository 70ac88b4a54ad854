// All scenarios, except those of descriptors, which need files.
import type { Scenario } from '../world.ts';
import { decisionScenarios } from './decisions.ts';
import { eventScenarios } from './events.ts';
import { keysetScenarios } from './keysets.ts';
import { signingScenarios } from './signing.ts';

export const SCENARIOS: readonly Scenario[] = [
  ...keysetScenarios,
  ...decisionScenarios,
  ...signingScenarios,
  ...eventScenarios,
];
