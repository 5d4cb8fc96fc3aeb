import { compileUriGlob, formatUri, splitUri } from '../path/index.js';

/** The keys that a URI or glob of a source covers. */
export class CoveredKeys {
  /** The key of the object that a URI without wildcards may name. */
  readonly exact: string | undefined;
  /** The prefix of all other keys. */
  readonly prefix: string;
  readonly #parts: ReturnType<typeof splitUri>;
  readonly #hidden: boolean;
  readonly #matches: (key: string) => boolean;
  readonly #reaches: (directory: string) => boolean;
  /** Names after this many characters of a key may be hidden; names in the URI itself are not. */
  readonly #base: number;

  /** @param hidden whether names that start with `.` or `_` are covered */
  constructor(uri: string, hidden: boolean) {
    this.#parts = splitUri(uri);
    this.#hidden = hidden;
    const glob = compileUriGlob(this.#parts.key);
    const folder = glob.prefix === '' || glob.prefix.endsWith('/');
    this.exact = glob.wild || folder ? undefined : glob.prefix;
    this.prefix = this.exact === undefined ? glob.prefix : `${glob.prefix}/`;
    this.#base = this.prefix.lastIndexOf('/') + 1;
    this.#matches = glob.wild ? (key) => glob.matches(key) : () => true;
    this.#reaches = glob.wild ? (directory) => glob.reaches(directory) : () => true;
  }

  uriOf(key: string): string {
    return formatUri({ ...this.#parts, key });
  }

  /** Whether to read an object. A key that ends in a slash is the marker of a directory. */
  covers(key: string): boolean {
    return !key.endsWith('/') && this.#matches(key) && !this.#hides(key);
  }

  /** Whether an unlisted key would be read: that of an object, or anything below a directory. */
  wouldCover(key: string): boolean {
    return !this.#hides(key) && (key.endsWith('/') ? this.#reaches(key) : this.#matches(key));
  }

  #hides(key: string): boolean {
    return !this.#hidden && /(?:^|\/)[._]/.test(key.slice(this.#base));
  }
}
