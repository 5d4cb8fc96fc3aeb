import { compileUriGlob, formatUri, splitUri } from '../path/index.js';

/** The keys that a URI or glob of a source covers. */
export class CoveredKeys {
  /** The key of the object that a URI without wildcards may name. */
  readonly exact: string | undefined;
  /** The prefix of all other keys. */
  readonly prefix: string;
  readonly #parts: ReturnType<typeof splitUri>;
  /** The URI of the bucket. */
  readonly #bucket: string;
  readonly #hidden: boolean;
  readonly #matches: (key: string) => boolean;
  readonly #reaches: (directory: string) => boolean;
  /** Names after this many characters of a key may be hidden; names in the URI itself are not. */
  readonly #base: number;

  /** @param hidden whether names that start with `.` or `_` are covered */
  constructor(uri: string, hidden: boolean) {
    this.#parts = splitUri(uri);
    this.#bucket = formatUri({ ...this.#parts, key: '' });
    this.#hidden = hidden;
    const glob = compileUriGlob(this.#parts.key);
    const folder = glob.prefix === '' || glob.prefix.endsWith('/');
    this.exact = glob.wild || folder ? undefined : glob.prefix;
    this.prefix = this.exact === undefined ? glob.prefix : `${glob.prefix}/`;
    this.#base = this.prefix.lastIndexOf('/') + 1;
    this.#matches = glob.wild ? (key) => glob.matches(key) : () => true;
    this.#reaches = glob.wild ? (directory) => glob.reaches(directory) : () => true;
  }

  /** Whether both may cover the same object. */
  overlaps(other: CoveredKeys): boolean {
    if (this.#bucket !== other.#bucket) return false;
    const [a, b] = [this.exact ?? this.prefix, other.exact ?? other.prefix];
    return a.startsWith(b) || b.startsWith(a);
  }

  /**
   * Whether it covers an object of that key, whatever else exists. A URI that names an object, or a directory if there is no such
   * object, surely covers only the object; and what is below, for the same URI.
   */
  owns(key: string, other: CoveredKeys): boolean {
    if (this.exact === undefined) return key.startsWith(this.prefix) && this.covers(key);
    return (
      key === this.exact || (this.exact === other.exact && key.startsWith(this.prefix) && this.covers(key))
    );
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
