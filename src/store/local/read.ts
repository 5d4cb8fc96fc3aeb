import type { FileHandle } from 'node:fs/promises';
import { StoreError } from '../errors.js';
import type { GetOptions, ObjectInfo } from '../objectStore.js';

const chunkSize = 8 << 20;

/** Reads a range of an open file, into the given memory if it is large enough. */
export async function readRange(
  file: FileHandle,
  { key, size }: ObjectInfo,
  { range = { start: 0 }, into }: Pick<GetOptions, 'range' | 'into'>,
  live: () => void,
): Promise<Uint8Array[]> {
  const { start } = range;
  const end = Math.min(range.end ?? size, size);
  if (start < 0 || (range.end !== undefined && range.end < start)) {
    throw new StoreError('InvalidRequest', `The range ${start} to ${end} is not a range.`);
  }
  const length = Math.max(0, end - start);
  const memory = into !== undefined && into.length >= length ? into.subarray(0, length) : undefined;
  const chunks: Uint8Array[] = [];
  for (let at = start; at < end;) {
    live();
    const most = Math.min(chunkSize, end - at);
    const buffer = memory?.subarray(at - start, at - start + most) ?? Buffer.allocUnsafeSlow(most);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) {
      throw new StoreError(
        'Integrity',
        `${key} ended at byte ${at}, before its size of ${size}: it was truncated. Read it again.`,
      );
    }
    chunks.push(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  return memory === undefined ? chunks : [memory];
}
