import type { FileHandle } from 'node:fs/promises';
import { StoreError } from '../errors.js';
import type { ByteRange, ObjectInfo } from '../objectStore.js';

const chunkSize = 8 << 20;

/** The bytes of a range of an open file, read by position. */
export async function readRange(
  file: FileHandle,
  { key, size }: ObjectInfo,
  range: ByteRange = { start: 0 },
  live: () => void,
): Promise<Uint8Array[]> {
  const { start } = range;
  const end = Math.min(range.end ?? size, size);
  if (start < 0 || (range.end !== undefined && range.end < start)) {
    throw new StoreError('InvalidRequest', `The range ${start} to ${end} is not a range.`);
  }
  const chunks: Uint8Array[] = [];
  for (let at = start; at < end;) {
    live();
    const buffer = Buffer.allocUnsafeSlow(Math.min(chunkSize, end - at));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) {
      throw new StoreError(
        'Integrity',
        `${key} ended at byte ${at}, before its size of ${size}: someone has cut it. Read it again.`,
      );
    }
    chunks.push(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  return chunks;
}
