/** The window of the rate: short enough to follow changes, long enough to be steady. Milliseconds. */
const span = 10_000;
const spacing = 250;

/** The recent rate of bytes. */
export class Rate {
  readonly #samples: { readonly at: number; readonly bytes: number }[] = [];

  /** Adds a sample of the total. */
  note(at: number, bytes: number): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && at - last.at < spacing) return;
    this.#samples.push({ at, bytes });
    while (this.#samples.length > 2 && at - (this.#samples[1]?.at ?? at) >= span) this.#samples.shift();
  }

  /** Bytes per second until now; `undefined` with too few samples. */
  at(now: number, bytes: number): number | undefined {
    const first = this.#samples[0];
    if (first === undefined || now - first.at < 2 * spacing) return undefined;
    return Math.max(0, ((bytes - first.bytes) * 1000) / (now - first.at));
  }
}
