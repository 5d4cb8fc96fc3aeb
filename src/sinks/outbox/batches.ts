import { MillraceError } from '../../errors.js';
import type { BufferPool } from '../../store/multipart/index.js';

/**
 * The bytes of a journal of an outbox: batches, one after the other. Their limits are those of when they were written, so a
 * batch has the same records with other options, too.
 *
 *     batch   records (4 bytes) | length of what follows (4) | records
 *     record  length (4) | bytes, as the serializer encoded them
 *
 * Numbers are unsigned and big-endian.
 */
const header = 8;
const frame = 4;
/** In bytes: the most that a journal is read back with. */
const longest = 2 ** 31 - 1;

/** The most records and bytes of a batch. One record is always allowed. */
export interface BatchLimits {
  readonly records: number;
  readonly bytes: number;
}

/** What was taken for a journal. */
export interface Taken {
  readonly batches: number;
  readonly records: number;
}

/** Collects encoded records as batches. */
export class BatchWriter {
  #buffer: Buffer | undefined;
  #length = 0;
  #records = 0;
  #batches = 0;
  /** Where the batch that is being written starts. */
  #start = 0;
  #inBatch = 0;

  constructor(
    private readonly limits: BatchLimits,
    private readonly pool: BufferPool,
    /** Bytes that a journal may have. */
    private readonly room: () => number,
  ) {}

  /** Bytes collected. */
  get length(): number {
    return this.#length;
  }

  /** Whether a batch is complete, so that it can be taken without being shorter than it need be. */
  get between(): boolean {
    return this.#inBatch === 0;
  }

  add(bytes: Uint8Array): void {
    const { length } = bytes;
    if (length > longest - header - frame)
      throw new RangeError(`A record of ${length} bytes is too long for a batch.`);
    const size = this.#length - this.#start - header + frame + length;
    if (this.#inBatch > 0 && size > this.limits.bytes) this.#close();
    const opening = this.#inBatch === 0 ? header : 0;
    if (opening > 0) {
      this.#start = this.#length;
      this.#batches++;
    }
    const buffer = this.#reserve(opening + frame + length);
    const at = this.#length + opening;
    buffer.writeUInt32BE(length, at);
    buffer.set(bytes, at + frame);
    this.#length = at + frame + length;
    this.#records++;
    this.#inBatch++;
    if (this.#inBatch >= this.limits.records) this.#close();
  }

  /** Hands over what was collected, which is valid until the function returns. */
  take(to: (bytes: Buffer, taken: Taken) => void): void {
    this.#close();
    const bytes = (this.#buffer ?? Buffer.alloc(0)).subarray(0, this.#length);
    const taken = { batches: this.#batches, records: this.#records };
    to(bytes, taken);
    if (this.#buffer !== undefined) this.pool.give(this.#buffer);
    this.#buffer = undefined;
    this.#length = this.#start = this.#records = this.#batches = 0;
  }

  #close(): void {
    if (this.#inBatch === 0) return;
    const buffer = this.#buffer as Buffer;
    buffer.writeUInt32BE(this.#inBatch, this.#start);
    buffer.writeUInt32BE(this.#length - this.#start - header, this.#start + 4);
    this.#inBatch = 0;
  }

  #reserve(bytes: number): Buffer {
    const needed = this.#length + bytes;
    const before = this.#buffer;
    if (before !== undefined && before.length >= needed) return before;
    const grown = this.pool.take(Math.max(needed, Math.min(this.room(), 2 ** Math.ceil(Math.log2(needed)))));
    if (before !== undefined) {
      before.copy(grown, 0, 0, this.#length);
      this.pool.give(before);
    }
    return (this.#buffer = grown);
  }
}

/** One batch of a journal. */
export interface StoredBatch {
  readonly records: number;
  readonly bytes: Buffer;
}

/** The batches of a journal, as views of its bytes. Errors: `CorruptJournal`. */
export function batchesIn(journal: Buffer, where: string): StoredBatch[] {
  const batches: StoredBatch[] = [];
  for (let at = 0; at < journal.length;) {
    if (at + header > journal.length) throw corrupt(where);
    const records = journal.readUInt32BE(at);
    const end = at + header + journal.readUInt32BE(at + 4);
    if (end > journal.length) throw corrupt(where);
    batches.push({ records, bytes: journal.subarray(at + header, end) });
    at = end;
  }
  return batches;
}

/** The records of a batch, decoded afresh. Errors: `CorruptJournal`. */
export function recordsIn<A>(
  { records, bytes }: StoredBatch,
  decode: (bytes: Buffer) => A,
  where: string,
): A[] {
  const found: A[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + frame > bytes.length) throw corrupt(where);
    const from = at + frame;
    at = from + bytes.readUInt32BE(at);
    if (at > bytes.length) throw corrupt(where);
    found.push(decode(bytes.subarray(from, at)));
  }
  if (found.length !== records) throw corrupt(where);
  return found;
}

function corrupt(where: string): MillraceError {
  return new MillraceError(
    'CorruptJournal',
    `${where}: the records are not those that were written. Restore the object from a version or backup of the bucket.`,
  );
}
