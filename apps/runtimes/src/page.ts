// The tables of docs/runtimes.md, from the data that the tests hold.
import { NETWORK, type NetworkFeature } from './network.ts';

const CELLS = { yes: 'yes', refused: '`ConfigError`' } as const;

/** What each runtime keeps of the options and guards of connections. */
export function networkTable(): string {
  const rows = Object.values<NetworkFeature>(NETWORK).map(
    ({ text, Deno, Bun }) => `| ${text} | yes | ${CELLS[Deno]} | ${CELLS[Bun]} |`,
  );
  return ['| | Node | Deno | Bun |', '| --- | --- | --- | --- |', ...rows].join('\n');
}
