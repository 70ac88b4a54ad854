// Faults of a key source. Each fault answers one request; no key is used here.
import type { ServerResponse } from 'node:http';
import { constants, createGzip } from 'node:zlib';
import { ConfigError } from '@latchkey/core';
import { readObject } from '@latchkey/core/adapter';

/** A fault that an issuer shows instead of its answer. */
export type Fault =
  /** Answers with this status and an HTML page. */
  | { readonly kind: 'status'; readonly status: number }
  /** Resets the connection. */
  | { readonly kind: 'reset' }
  /** Accepts the request and never answers. */
  | { readonly kind: 'hang' }
  /** Sends the headers, then one byte per interval (milliseconds), without end. */
  | { readonly kind: 'drip'; readonly intervalMs: number }
  /** Sends bytes without end, as fast as the client reads them. */
  | { readonly kind: 'endless' }
  /** Sends a small body that unpacks to this many bytes. */
  | { readonly kind: 'gzip-bomb'; readonly bytes: number }
  | { readonly kind: 'redirect'; readonly location: string }
  /** Answers 200 with this body. */
  | { readonly kind: 'body'; readonly body: string; readonly contentType?: string };

/** The members of each fault. */
const FAULTS: { readonly [K in Fault['kind']]: readonly string[] } = {
  status: ['status'],
  reset: [],
  hang: [],
  drip: ['intervalMs'],
  endless: [],
  'gzip-bomb': ['bytes'],
  redirect: ['location'],
  body: ['body', 'contentType'],
};

/** Returns a fault. @throws ConfigError for one that does not exist, and for an unknown member */
export function readFault(fault: Fault): Fault {
  const kinds = Object.keys(FAULTS);
  if (!kinds.includes(fault.kind))
    throw new ConfigError('fail.kind', `expected one of ${kinds.join(', ')}, got ${String(fault.kind)}`);
  readObject(fault, ['kind', ...FAULTS[fault.kind]], 'fail');
  return fault;
}

/** Answers with a fault. */
export function misbehave(response: ServerResponse, fault: Fault): void {
  switch (fault.kind) {
    case 'status':
      response.writeHead(fault.status, { 'content-type': 'text/html' }).end('<h1>Out of order</h1>');
      return;
    case 'reset':
      response.socket?.resetAndDestroy();
      return;
    case 'hang':
      return;
    case 'drip': {
      response.writeHead(200, { 'content-type': 'application/json' }).write('{');
      const timer = setInterval(() => response.write(' '), fault.intervalMs);
      response.on('close', () => clearInterval(timer));
      return;
    }
    case 'endless': {
      response.writeHead(200, { 'content-type': 'application/json' });
      const chunk = Buffer.alloc(64 * 1024, 0x20);
      const pump = () => {
        while (!response.destroyed && response.write(chunk));
      };
      response.on('drain', pump);
      pump();
      return;
    }
    case 'gzip-bomb': {
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' });
      const gzip = createGzip({ level: constants.Z_BEST_COMPRESSION });
      response.on('close', () => gzip.destroy());
      gzip.pipe(response);
      gzip.end(Buffer.alloc(fault.bytes, 0x20));
      return;
    }
    case 'redirect':
      response.writeHead(302, { location: fault.location }).end();
      return;
    case 'body':
      response.writeHead(200, { 'content-type': fault.contentType ?? 'application/json' }).end(fault.body);
      return;
  }
}
