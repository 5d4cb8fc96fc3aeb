import type { GetObjectCommandOutput } from '@aws-sdk/client-s3';
import { checksumOf, type ChecksumKind } from '../checksums.js';
import { StoreError } from '../errors.js';
import { contentMd5 as contentMd5Of } from './contentMd5.js';
import type { ResolvedOptions } from './options.js';

const names = {
  crc32: 'ChecksumCRC32',
  crc32c: 'ChecksumCRC32C',
  crc64nvme: 'ChecksumCRC64NVME',
} as const satisfies Record<ChecksumKind, keyof GetObjectCommandOutput>;

type Checksums = { readonly [K in ChecksumKind as (typeof names)[K]]?: string };

/** A body with its checksum, as the SDK takes it. A chunked body has its checksum in the trailer instead. */
export function payload(
  body: Uint8Array,
  { checksum, chunkedEncoding, contentMd5 }: ResolvedOptions,
): { Body: Uint8Array; ContentLength: number; ContentMD5?: string } & Checksums {
  const plain = { Body: body, ContentLength: body.length };
  if (contentMd5) return { ...plain, ContentMD5: contentMd5Of(body) };
  if (checksum === undefined || chunkedEncoding) return plain;
  return { ...plain, [names[checksum]]: checksumOf(checksum, body) };
}

/** An upload's checksum covers the whole object, so Complete need not repeat those of the parts. */
export function wholeChecksum({ checksum }: ResolvedOptions): {
  ChecksumAlgorithm?: 'CRC32' | 'CRC32C' | 'CRC64NVME';
  ChecksumType?: 'FULL_OBJECT';
} {
  if (checksum === undefined) return {};
  const upper = { crc32: 'CRC32', crc32c: 'CRC32C', crc64nvme: 'CRC64NVME' } as const;
  return { ChecksumAlgorithm: upper[checksum], ChecksumType: 'FULL_OBJECT' };
}

/**
 * Compares a whole object with the checksum in the response, if there is one. A composite checksum of parts (`…-3`) cannot be
 * checked against the whole. Throws `Integrity`.
 */
export function verify(key: string, answer: GetObjectCommandOutput, chunks: readonly Uint8Array[]): void {
  for (const kind of Object.keys(names) as ChecksumKind[]) {
    const kept = answer[names[kind]];
    if (kept === undefined || kept.includes('-') || answer.ChecksumType === 'COMPOSITE') continue;
    if (checksumOf(kind, ...chunks) === kept) return;
    throw new StoreError(
      'Integrity',
      `GetObject ${key}: the bytes that came do not have the ${kind} that the server keeps of them. Read it again.`,
    );
  }
}
