import { sha256 } from '../../store/helpers.js';
import type { CheckpointData } from '../../store/services.js';
import type { BufferPool, Range } from '../../store/multipart/index.js';
import type { Request } from './kind.js';

/** Bytes to write to a journal. */
export interface Piece {
  readonly length: number;
  copyTo(target: Buffer, offset: number): void;
  /** It has its place in a journal. Call the returned function when that journal is stored. */
  journaled(range: Range): () => void;
}

/**
 * One journal object holds the fresh tail bytes of all open files of a sink, one after the other. A checkpoint writes
 * one, however many files are open, and no byte that an earlier one holds. Between checkpoints the sink writes one if
 * tails outgrow their share of the budget: bytes that a journal holds may leave memory.
 *
 * A file forgets its ranges when it cuts the part that holds those bytes. A journal that no file names any more is
 * garbage: the checkpoint that first fails to name it declares it.
 */
export class Journals {
  #held = 0;
  #inFlight = 0;

  constructor(
    private readonly id: string,
    private readonly data: CheckpointData,
    private readonly pool: BufferPool,
    private readonly request: Request,
    private readonly begin: (journal: string) => () => void,
  ) {}

  /** Bytes of memory that journals in flight take. */
  get held(): number {
    return this.#held;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Stores `pieces` in one journal, if there are any; `done` is called when it is stored. */
  write(pieces: readonly Piece[], done: () => void): void {
    if (pieces.length === 0) return;
    const body = this.pool.take(pieces.reduce((sum, { length }) => sum + length, 0));
    this.#held += body.length;
    this.#inFlight++;
    const journal = this.data.name(this.id, '.journal');
    const acked = this.begin(journal);
    let offset = 0;
    const stored = pieces.map((piece) => {
      const { length } = piece;
      piece.copyTo(body, offset);
      const range = { journal, offset, length, sha256: sha256(body.subarray(offset, offset + length)) };
      offset += length;
      return piece.journaled(range);
    });
    this.request(this.data.store.put(this.data.key(journal), body), () => {
      this.#held -= body.length;
      this.#inFlight--;
      this.pool.give(body);
      for (const each of stored) each();
      acked();
      done();
    });
  }
}

/** A tail in more journals than this is rewritten into one, or its file is rolled if the tail has left memory. */
export const maxRanges = 16;

/** Up to this many fresh bytes of all files are stored in the manifest itself. */
export const inlineLimit = 64 * 1024;
