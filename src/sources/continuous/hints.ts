import type { Observable, Subscription } from 'rxjs';
import { formatUri, parseUri } from '../../path/index.js';

/** A key that is worth a look, in the URI with that index. */
export interface Look {
  readonly root: number;
  readonly key: string;
}

/** What a hint is compared with. */
export interface HintedRoot {
  owns(key: string): boolean;
  uriOf(key: string): string;
}

/** The number of names that wait. What does not fit is left to the next listing. */
const most = 1000;

/**
 * The names that a user's Observable of hints has emitted, until they are looked at: URIs of objects, or keys. Each name once, and
 * only those that a URI of the source covers.
 */
export class Hints {
  readonly #roots: readonly HintedRoot[];
  readonly #names = new Set<string>();
  #subscription: Subscription | undefined;

  constructor(roots: readonly HintedRoot[]) {
    this.#roots = roots;
  }

  /** `arrived` is called when there is a name to look at; `failed` if the Observable fails, or a hint is no string. */
  open(hints: Observable<string>, arrived: () => void, failed: (error: unknown) => void): void {
    this.#subscription = hints.subscribe({
      next: (name: unknown) => {
        if (typeof name !== 'string') failed(new TypeError(`A hint is ${typeof name}, not a string.`));
        else if (this.#names.size < most && this.#looks(name).length > 0) {
          this.#names.add(name);
          arrived();
        }
      },
      error: failed,
    });
  }

  /** The looks that the oldest name is worth. */
  take(): readonly Look[] {
    for (const name of this.#names) {
      this.#names.delete(name);
      return this.#looks(name);
    }
    return [];
  }

  close(): void {
    this.#subscription?.unsubscribe();
    this.#names.clear();
  }

  #looks(name: string): Look[] {
    const uri = /^[a-z][a-z0-9]*:\/\//i.test(name);
    const parts = uri ? split(name) : undefined;
    if (uri && parts === undefined) return [];
    const key = parts?.key ?? name;
    return this.#roots.flatMap((root, index) =>
      root.owns(key) && (parts === undefined || root.uriOf(key) === formatUri(parts))
        ? [{ root: index, key }]
        : [],
    );
  }
}

/** A hint is only a hint: what is no URI names no object. */
function split(name: string): ReturnType<typeof parseUri> | undefined {
  try {
    return parseUri(name);
  } catch {
    return undefined;
  }
}
