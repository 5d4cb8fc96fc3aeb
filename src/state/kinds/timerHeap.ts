// Indices are computed here and in range; checks would clutter the innermost loops.
/* eslint-disable @typescript-eslint/no-non-null-assertion */

/** An element of a {@link TimerHeap}. */
export interface Scheduled {
  readonly at: number;
  /** Its index in the heap; -1 if it is not in one. */
  index: number;
}

/** A binary heap by time from which any element can be removed, so that cleared timers take no memory. */
export class TimerHeap<E extends Scheduled> {
  readonly #elements: E[] = [];
  readonly #order: (a: E, b: E) => number;

  /** @param ties the order of elements with the same time */
  constructor(ties: (a: E, b: E) => number) {
    this.#order = (a, b) => (a.at === b.at ? ties(a, b) : a.at - b.at);
  }

  get first(): E | undefined {
    return this.#elements[0];
  }

  /** The latest time; `-Infinity` if there is none. */
  get last(): number {
    let last = -Infinity;
    for (const { at } of this.#elements) if (at > last) last = at;
    return last;
  }

  add(element: E): void {
    this.#up(element, this.#elements.length);
  }

  remove(element: E): void {
    const at = element.index;
    element.index = -1;
    const last = this.#elements.pop()!;
    if (last === element) return;
    if (at > 0 && this.#order(last, this.#elements[(at - 1) >>> 1]!) < 0) this.#up(last, at);
    else this.#down(last, at);
  }

  /** Places an element at `from` or above. */
  #up(element: E, from: number): void {
    const elements = this.#elements;
    let at = from;
    while (at > 0) {
      const above = (at - 1) >>> 1;
      const parent = elements[above]!;
      if (this.#order(parent, element) <= 0) break;
      elements[at] = parent;
      parent.index = at;
      at = above;
    }
    elements[at] = element;
    element.index = at;
  }

  /** Places an element at `from` or below. */
  #down(element: E, from: number): void {
    const elements = this.#elements;
    const { length } = elements;
    let at = from;
    for (let child = 2 * at + 1; child < length; child = 2 * at + 1) {
      if (child + 1 < length && this.#order(elements[child + 1]!, elements[child]!) < 0) child++;
      const lower = elements[child]!;
      if (this.#order(element, lower) <= 0) break;
      elements[at] = lower;
      lower.index = at;
      at = child;
    }
    elements[at] = element;
    element.index = at;
  }
}
