import { compareKeys } from '../helpers.js';

/** A map whose keys can be iterated in UTF-8 order from any point. Sorts lazily. */
export class SortedMap<V> {
  readonly #values = new Map<string, V>();
  #keys: string[] | undefined = [];

  get(key: string): V | undefined {
    return this.#values.get(key);
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  set(key: string, value: V): void {
    if (!this.#values.has(key) && this.#keys !== undefined) {
      // Keys mostly arrive in order (logs, counters), so appending keeps them sorted.
      const last = this.#keys.at(-1);
      if (last === undefined || compareKeys(last, key) < 0) this.#keys.push(key);
      else this.#keys = undefined;
    }
    this.#values.set(key, value);
  }

  delete(key: string): void {
    if (this.#values.delete(key)) this.#keys = undefined;
  }

  /** The entries in order, from the first key at or after `from`. */
  *from(from: string): Generator<readonly [string, V]> {
    const keys = (this.#keys ??= [...this.#values.keys()].sort(compareKeys));
    let low = 0;
    let high = keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareKeys(keys[middle] ?? '', from) < 0) low = middle + 1;
      else high = middle;
    }
    for (; low < keys.length; low += 1) {
      const key = keys[low] ?? '';
      const value = this.#values.get(key);
      if (value !== undefined) yield [key, value];
    }
  }
}
