/** Over so long a rate is taken: short enough to follow, long enough to be calm. Milliseconds. */
const span = 10_000;
const spacing = 250;

/** How fast bytes come, of late. */
export class Rate {
  readonly #samples: { readonly at: number; readonly bytes: number }[] = [];

  /** Notes how many bytes there are by now. */
  note(at: number, bytes: number): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && at - last.at < spacing) return;
    this.#samples.push({ at, bytes });
    while (this.#samples.length > 2 && at - (this.#samples[1]?.at ?? at) >= span) this.#samples.shift();
  }

  /** Bytes per second up to now; `undefined` before there is enough to tell. */
  at(now: number, bytes: number): number | undefined {
    const first = this.#samples[0];
    if (first === undefined || now - first.at < 2 * spacing) return undefined;
    return Math.max(0, ((bytes - first.bytes) * 1000) / (now - first.at));
  }
}
