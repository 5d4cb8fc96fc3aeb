import type { Credit, Outflows, Released } from '../flow/index.js';

/** A terminal's id, or the terminal itself. */
export type TerminalKey = string | object;

/**
 * Tracks how far each terminal of a job has processed each source: the arithmetic of flow control.
 *
 * Terminals report cumulative positions, so a credit that arrives twice (after a split or `share()`) changes nothing.
 * The released position of a source is the minimum over its downstream terminals; a source without terminals is not
 * limited. An operator that emits on its own counts as a source.
 */
export class CreditLedger implements Outflows {
  /** source → terminal → position. */
  readonly #positions = new Map<string, Map<TerminalKey, number>>();
  readonly #released: (source: string, bytes: number) => void;
  /** By operator. */
  readonly #changed = new Map<string, () => void>();

  /**
   * @param released called when every terminal of `source` has processed its first `bytes` bytes, each time that grows
   */
  constructor(released: (source: string, bytes: number) => void) {
    this.#released = released;
  }

  /** Adds a terminal downstream of `sources`, which wait for it from now on. */
  terminal(terminal: TerminalKey, sources: readonly string[]): void {
    for (const source of sources) {
      let terminals = this.#positions.get(source);
      if (terminals === undefined) this.#positions.set(source, (terminals = new Map<TerminalKey, number>()));
      if (!terminals.has(terminal)) terminals.set(terminal, 0);
    }
  }

  /**
   * `terminal` has processed everything before `credit`. Ignores a position that is not higher than before, and
   * terminals that are not downstream of the source.
   */
  release(terminal: TerminalKey, { source, bytes }: Credit): void {
    const terminals = this.#positions.get(source);
    const before = terminals?.get(terminal);
    if (terminals === undefined || before === undefined || bytes <= before) return;
    const released = this.released(source);
    terminals.set(terminal, bytes);
    const now = this.released(source);
    if (now <= released) return;
    this.#released(source, now);
    this.#changed.get(source)?.();
  }

  open(id: string, changed: () => void): Released {
    this.#changed.set(id, changed);
    const released = (): number => this.released(id);
    return {
      get released() {
        return released();
      },
    };
  }

  /** The slowest terminals, which determine `released`. */
  behind(source: string): TerminalKey[] {
    const released = this.released(source);
    return [...(this.#positions.get(source) ?? [])].flatMap(([terminal, bytes]) =>
      bytes === released ? [terminal] : [],
    );
  }

  /** Bytes of `source` that every terminal has processed; `Infinity` without terminals. */
  released(source: string): number {
    let released = Infinity;
    for (const bytes of this.#positions.get(source)?.values() ?? []) released = Math.min(released, bytes);
    return released;
  }
}
