import type { Credit } from '../flow/index.js';

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
  readonly #released: (source: string, bytes: number) => void;

  /** `released`: every terminal of `source` has by now dealt with its first `bytes` bytes. Called when that grows. */
  constructor(released: (source: string, bytes: number) => void) {
    this.#released = released;
  }

  /** A terminal downstream of `sources`: from now on they wait for it. */
  terminal(terminal: TerminalKey, sources: readonly string[]): void {
    for (const source of sources) {
      let terminals = this.#positions.get(source);
      if (terminals === undefined) this.#positions.set(source, (terminals = new Map<TerminalKey, number>()));
      if (!terminals.has(terminal)) terminals.set(terminal, 0);
    }
  }

  /**
   * `terminal` has dealt with everything before `credit`. A lower position than before, and one from a terminal that is
   * not downstream of the source, change nothing.
   */
  release(terminal: TerminalKey, { source, bytes }: Credit): void {
    const terminals = this.#positions.get(source);
    const before = terminals?.get(terminal);
    if (terminals === undefined || before === undefined || bytes <= before) return;
    const released = this.released(source);
    terminals.set(terminal, bytes);
    const now = this.released(source);
    if (now > released) this.#released(source, now);
  }

  /** The terminals that are furthest behind: what `released` waits for. */
  behind(source: string): TerminalKey[] {
    const released = this.released(source);
    return [...(this.#positions.get(source) ?? [])].flatMap(([terminal, bytes]) =>
      bytes === released ? [terminal] : [],
    );
  }

  /** Bytes of `source` that every terminal has dealt with; `Infinity` without terminals. */
  released(source: string): number {
    let released = Infinity;
    for (const bytes of this.#positions.get(source)?.values() ?? []) released = Math.min(released, bytes);
    return released;
  }
}
