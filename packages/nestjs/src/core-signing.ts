// '@latchkey/nestjs/signing': the signing of core, for applications that have this package alone.
export * from '@latchkey/core/signing';
