// A service of one adapter in a process of its own: it tells its port and, when it is asked, its
// vitals.
import type { AddressInfo } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { SERVICES } from './services.ts';
import type { Told } from './terms.ts';

const [adapter = '', options = ''] = process.argv.slice(2);
const service = SERVICES.get(adapter);
if (service === undefined || globalThis.gc === undefined) throw new Error(`cannot run ${adapter}`);
const collect = globalThis.gc;
const tell = (told: Told) => process.send?.(told);

let handled = 0;
let faults: string[] = [];
const note = (error: unknown) => faults.push(String(error));
process.on('unhandledRejection', note);
process.on('uncaughtException', note);
process.on('disconnect', () => process.exit());
const delay = monitorEventLoopDelay({ resolution: 10 });

const server = await service(JSON.parse(options), () => handled++);
// Longer than a run, because closing a connection while the client reuses it would count as a
// failure.
server.keepAliveTimeout = 600_000;
server.listen(0, '127.0.0.1', () => tell({ port: (server.address() as AddressInfo).port }));

process.on('message', () => {
  const pauseMs = delay.max / 1e6;
  delay.disable();
  // Twice: what a finalizer lets go of is collected the second time.
  collect();
  collect();
  tell({ vitals: { handled, pauseMs, heap: process.memoryUsage().heapUsed, faults } });
  handled = 0;
  faults = [];
  delay.reset();
  delay.enable();
});
