import { crc32 } from 'node:zlib';
import type { ResolvedOptions } from './options.js';

/** A body as the SDK takes it, with its checksum. */
export function payload(
  body: Uint8Array,
  options: ResolvedOptions,
): { Body: Uint8Array; ContentLength: number; ChecksumCRC32?: string } {
  if (!options.crc32) return { Body: body, ContentLength: body.length };
  const sum = Buffer.allocUnsafe(4);
  sum.writeUInt32BE(crc32(body));
  return { Body: body, ContentLength: body.length, ChecksumCRC32: sum.toString('base64') };
}
