import { CoveredKeys } from './coveredKeys.js';

/**
 * Which of several URIs an object belongs to: the first of the list that covers it, so that it is read once. It depends only on the
 * list and the key, never on what was read, so every run decides alike.
 */
export class UriOwners {
  readonly #covered: readonly CoveredKeys[];
  /** For each URI, the earlier ones that may cover the same objects. */
  readonly #earlier: (readonly CoveredKeys[] | undefined)[] = [];

  constructor(uris: readonly string[], hidden: boolean) {
    this.#covered = uris.map((uri) => new CoveredKeys(uri, hidden));
  }

  /** Whether an object that the URI with that index covers belongs to an earlier one. */
  ownedBefore(index: number, key: string): boolean {
    const own = this.#covered[index];
    if (own === undefined) return false;
    const earlier = (this.#earlier[index] ??= this.#covered
      .slice(0, index)
      .filter((each) => each.overlaps(own)));
    return earlier.some((each) => each.owns(key, own));
  }
}
