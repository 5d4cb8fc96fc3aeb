import type { Persisted } from '../../formats/writer.js';
import type { Range, Tail } from '../../store/multipart/index.js';
import type { Piece } from '../twoPhase/journal.js';
import type { SealedRows } from './committable.js';

/**
 * State that a checkpoint keeps of an open file besides its bytes: the bytes that would close it, or the rows that its
 * encoder holds. Like tails, these go inline into the manifest or into the checkpoint's journal.
 */
export class Remainder {
  #closing = new Kept();
  #state = new Kept();
  #given: Uint8Array | undefined;
  #rows = new Kept();

  /** Bytes that would close the file. */
  get closingLength(): number {
    return this.#closing.length;
  }

  get isEmpty(): boolean {
    return this.#closing.length + this.#rows.length === 0;
  }

  /** The number of journals that hold its rows. */
  get rowRanges(): number {
    return this.#rows.ranges.length;
  }

  /** Bytes that are in no journal yet. */
  get fresh(): number {
    return this.#all.reduce((sum, { fresh }) => sum + fresh.length, 0);
  }

  persisted({ closing, rows }: Persisted): void {
    // New objects, because frozen committables keep the old ones.
    this.#closing = new Kept(closing);
    if (rows === undefined) return;
    // The same state has its place already, unless all rows move to another journal, and the old ones are freed.
    if (rows.afresh || rows.state !== this.#given) this.#state = new Kept(rows.state);
    this.#given = rows.state;
    this.#rows = rows.afresh ? new Kept(rows.added) : this.#rows.and(rows.added);
  }

  pieces(): Piece[] {
    return this.#all.filter(({ fresh }) => fresh.length > 0).map((each) => each.piece);
  }

  /** The tail, followed by the bytes that close the file. */
  close(tail: Tail | undefined): Tail | undefined {
    if (this.#closing.length === 0) return tail;
    const closing = this.#closing.tail;
    const inline = [tail?.inline, closing.inline].filter((each) => each !== undefined);
    return {
      ranges: [...(tail?.ranges ?? []), ...closing.ranges],
      inline: inline.length === 0 ? undefined : Buffer.concat(inline),
    };
  }

  /** @param name of the `RowSeal` */
  seal(name: string): SealedRows | undefined {
    if (this.#rows.length === 0 && this.#state.length === 0) return undefined;
    return { name, state: this.#state.tail, rows: this.#rows.tail };
  }

  get #all(): readonly Kept[] {
    return [this.#closing, this.#state, this.#rows];
  }
}

/** Bytes in journals, followed by bytes that are in none yet. */
class Kept {
  ranges: readonly Range[] = [];
  fresh: Uint8Array;

  constructor(bytes: Uint8Array = Buffer.alloc(0)) {
    this.fresh = bytes;
  }

  get length(): number {
    return this.ranges.reduce((sum, range) => sum + range.length, this.fresh.length);
  }

  get tail(): Tail {
    return { ranges: this.ranges, inline: this.fresh.length === 0 ? undefined : Buffer.from(this.fresh) };
  }

  and(more: Uint8Array): Kept {
    const kept = new Kept(Buffer.concat([this.fresh, more]));
    kept.ranges = this.ranges;
    return kept;
  }

  /** The bytes that are in no journal. */
  get piece(): Piece {
    const bytes = this.fresh;
    return {
      length: bytes.length,
      copyTo: (target, offset) => {
        target.set(bytes, offset);
      },
      journaled: (range) => {
        this.ranges = [...this.ranges, range];
        this.fresh = Buffer.alloc(0);
        return () => undefined;
      },
    };
  }
}
