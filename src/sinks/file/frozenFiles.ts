import { maxRanges } from '../twoPhase/journal.js';
import type { Piece } from '../twoPhase/journal.js';
import type { FrozenFile, OpenFile } from './openFile.js';

/**
 * The files that a barrier freezes: those that changed since the last one, unchanged ones as they were frozen before,
 * and those that were rolled since. A barrier does no work for a file that has not changed.
 */
export class FrozenFiles {
  #fresh = 0;
  /** Open files that differ from their entry in `#frozen`. */
  readonly #changed = new Set<OpenFile>();
  readonly #frozen = new Map<OpenFile, FrozenFile>();
  #rolled: OpenFile[] = [];

  /** @param seal the name of the format's `RowSeal`, if it has one */
  constructor(private readonly seal: string | undefined) {}

  /** Bytes of tails that are only in memory. */
  get fresh(): number {
    return this.#fresh;
  }

  /** Changed files whose tails have left memory and are in the maximum number of journals. */
  get scattered(): readonly OpenFile[] {
    return [...this.#changed].filter(({ tail }) => tail.ranges.length >= maxRanges && tail.spilled);
  }

  /** The file has changed. `bytes`: how many more of its bytes are in no journal. */
  changed(file: OpenFile, bytes: number): void {
    this.#fresh += bytes;
    this.#changed.add(file);
  }

  /** The file is no longer open. */
  forget(file: OpenFile): void {
    this.#fresh -= file.tail.fresh;
    this.#changed.delete(file);
    this.#frozen.delete(file);
  }

  /** The file is finished. */
  rolled(file: OpenFile): void {
    this.#rolled.push(file);
  }

  /** Returns the bytes that a journal would hold. */
  prepare(): number {
    this.#fresh = 0;
    let persisted = 0;
    for (const { tail, remainder } of this.#changed) {
      this.#fresh += tail.prepare(maxRanges);
      persisted += remainder?.fresh ?? 0;
    }
    return this.#fresh + persisted;
  }

  /** Takes all fresh bytes for a journal, at a barrier including what encoders have persisted. */
  takeFresh(barrier: boolean): Piece[] {
    this.#fresh = 0;
    const pieces: Piece[] = [];
    for (const { tail, remainder } of this.#changed) {
      if (tail.fresh > 0) pieces.push(tail.piece);
      if (barrier && remainder !== undefined) pieces.push(...remainder.pieces());
    }
    return pieces;
  }

  /** Freezes the open files and those rolled since the last barrier. `inline`: including fresh bytes. */
  freeze(
    store: string,
    checkpoint: number,
    inline: boolean,
  ): { readonly open: readonly FrozenFile[]; readonly closed: readonly FrozenFile[] } {
    for (const file of this.#changed) {
      const { tail, remainder } = file;
      if (file.size > 0 || remainder?.isEmpty === false)
        this.#frozen.set(file, file.freeze(store, checkpoint, inline, this.seal));
      if (tail.fresh === 0 && (remainder?.fresh ?? 0) === 0) this.#changed.delete(file);
    }
    const closed = this.#rolled.map((file) => file.freeze(store, checkpoint, false, undefined, true));
    this.#rolled = [];
    return { open: [...this.#frozen.values()], closed };
  }
}
