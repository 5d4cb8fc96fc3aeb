/** A terminal's id, or the terminal itself. */
export type TerminalKey = string | object;

/**
 * How far all terminals of a job have dealt with each of its sources: the arithmetic of flow control.
 *
 * A terminal reports cumulative positions, so that one which hears of the same credit twice (a split, a `share()`)
 * changes nothing. What is released of a source is the minimum over the terminals downstream of it; a source without
 * terminals is held back by nobody.
 */
export class CreditLedger {
  /** source → terminal → position. */
  readonly #positions = new Map<string, Map<TerminalKey, number>>();

  /** A terminal downstream of `sources`: from now on they wait for it. */
  terminal(id: TerminalKey, sources: readonly string[]): void {
    for (const source of sources) {
      let terminals = this.#positions.get(source);
      if (terminals === undefined) this.#positions.set(source, (terminals = new Map<TerminalKey, number>()));
      if (!terminals.has(id)) terminals.set(id, 0);
    }
  }

  /**
   * `terminal` has dealt with everything of `source` before `bytes`. True if that moved what is released of it. A lower
   * position than before, and one from a terminal that is not downstream of the source, change nothing.
   */
  release(terminal: TerminalKey, source: string, bytes: number): boolean {
    const terminals = this.#positions.get(source);
    const before = terminals?.get(terminal);
    if (terminals === undefined || before === undefined || bytes <= before) return false;
    const released = this.released(source);
    terminals.set(terminal, bytes);
    return this.released(source) > released;
  }

  /** Bytes of `source` that every terminal has dealt with; `Infinity` without terminals. */
  released(source: string): number {
    let released = Infinity;
    for (const bytes of this.#positions.get(source)?.values() ?? []) released = Math.min(released, bytes);
    return released;
  }
}
