// '@latchkey/fastify/signing': the signing of core, for applications that install this package alone.
export * from '@latchkey/core/signing';
