import type { FileHandle } from 'node:fs/promises';
import { StoreError } from '../errors.js';
import type { GetOptions, ObjectBody, ObjectInfo } from '../objectStore.js';

const chunkSize = 8 << 20;

/** What is read at once for a consumer that takes it piece by piece. */
const pieceSize = 512 << 10;

/** Reads a range of an open file, into the given memory if it is large enough, or hands it on piece by piece. */
export async function readRange(
  file: FileHandle,
  info: ObjectInfo,
  { range = { start: 0 }, into, take }: Pick<GetOptions, 'range' | 'into' | 'take'>,
  live: () => void,
): Promise<Pick<ObjectBody, 'chunks' | 'taken'>> {
  const { start } = range;
  const end = Math.min(range.end ?? info.size, info.size);
  if (start < 0 || (range.end !== undefined && range.end < start)) {
    throw new StoreError('InvalidRequest', `The range ${start} to ${end} is not a range.`);
  }
  const length = Math.max(0, end - start);
  if (take !== undefined && range.end !== undefined && length > 0) {
    const buffer = Buffer.allocUnsafeSlow(Math.min(pieceSize, length));
    await readPieces(
      file,
      info,
      { start, end, live, most: buffer.length },
      () => buffer,
      (piece, at) => take([piece], at),
    );
    return { chunks: [], taken: length };
  }
  const memory = into !== undefined && into.length >= length ? into.subarray(0, length) : undefined;
  const chunks: Uint8Array[] = [];
  await readPieces(
    file,
    info,
    { start, end, live, most: chunkSize },
    (at, size) => memory?.subarray(at, at + size) ?? Buffer.allocUnsafeSlow(size),
    (piece) => void chunks.push(piece),
  );
  return { chunks: memory === undefined ? chunks : [memory] };
}

interface Reading {
  readonly start: number;
  readonly end: number;
  readonly live: () => void;
  /** The size of a piece. Bytes. */
  readonly most: number;
}

/** `memory` is given for each piece, and `at`, which counts from the start of the range. */
async function readPieces(
  file: FileHandle,
  { key, size }: ObjectInfo,
  { start, end, live, most }: Reading,
  memory: (at: number, size: number) => Uint8Array,
  take: (piece: Uint8Array, at: number) => Promise<void> | void,
): Promise<void> {
  for (let at = start; at < end;) {
    live();
    const wanted = Math.min(most, end - at);
    const buffer = memory(at - start, wanted);
    const { bytesRead } = await file.read(buffer, 0, wanted, at);
    if (bytesRead === 0) {
      throw new StoreError(
        'Integrity',
        `${key} ended at byte ${at}, before its size of ${size}: it was truncated. Read it again.`,
      );
    }
    await take(buffer.subarray(0, bytesRead), at - start);
    at += bytesRead;
  }
}
