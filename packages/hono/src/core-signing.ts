// '@latchkey/hono/signing': re-exports the signing of core, for applications that install only this
// package.
export * from '@latchkey/core/signing';
