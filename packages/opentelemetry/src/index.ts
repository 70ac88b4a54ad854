// '@latchkey/opentelemetry': metrics and span attributes of Latchkey, by OpenTelemetry. It listens
// to the events of core, and decides nothing.
export type { Instrumentation, InstrumentationOptions } from './instrument.ts';
export { instrumentLatchkey } from './instrument.ts';
