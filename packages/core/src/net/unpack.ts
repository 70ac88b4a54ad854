// Unpacks a body by its Content-Encoding (RFC 9110 §8.4). The result has a limit, which ends the
// work: a small body may unpack to a large one.
import { promisify } from 'node:util';
import type zlib from 'node:zlib';

/** Accept-Encoding of own requests: what most servers have. Others are unpacked as well. */
export const ACCEPTED = 'gzip, deflate, br';

/** More than one coding is rare; a chain of many only costs time. */
const MAX_CODINGS = 5;

/**
 * Unpacks a body.
 * @param header Content-Encoding; the last coding was applied last
 * @throws RangeError if it unpacks to more than `maxBytes`
 */
export async function unpack(body: Buffer, header: string, maxBytes: number): Promise<Buffer> {
  const codings = header
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding !== 'identity');
  if (codings.length > MAX_CODINGS) throw new Error('packed too often');
  if (codings.length === 0 || body.length === 0) return body;
  // Loaded when first needed: few answers are packed.
  const library = await import('node:zlib');
  let unpacked = body;
  for (const coding of codings.reverse()) {
    unpacked = await unpackOne(library, coding, unpacked, { maxOutputLength: maxBytes });
  }
  return unpacked;
}

function unpackOne(
  library: typeof zlib,
  coding: string,
  body: Buffer,
  limit: { readonly maxOutputLength: number },
): Promise<Buffer> {
  switch (coding) {
    case 'gzip':
    case 'x-gzip':
      return promisify<Buffer, object, Buffer>(library.gunzip)(body, limit);
    case 'deflate': {
      // Some servers leave out the header of zlib, whose first byte ends in 8.
      const isZlib = ((body[0] ?? 0) & 0x0f) === 8;
      return promisify<Buffer, object, Buffer>(isZlib ? library.inflate : library.inflateRaw)(body, limit);
    }
    case 'br':
      return promisify<Buffer, object, Buffer>(library.brotliDecompress)(body, limit);
    case 'zstd':
      return promisify<Buffer, object, Buffer>(library.zstdDecompress)(body, limit);
    default:
      throw new Error('has an unknown Content-Encoding');
  }
}
