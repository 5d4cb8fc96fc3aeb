/**
 * Paths in a bucket, like `java.nio.file.Path` on POSIX. Pure: makes no requests.
 *
 * A path is a string of names separated by slashes. It is absolute if it starts with a slash, the root of the bucket. Repeated
 * slashes collapse; names are not changed otherwise. There is no working directory: relative paths start at the root (`key`,
 * `toUri`), and `..` cannot leave it.
 *
 * **Directories.** Buckets have none, so the path itself decides: it is a directory if it ends in `/`, `/.` or `/..`, or is empty,
 * `.` or `..`. `dir` and `dir/` are different paths, of different objects. java.nio differs, since it drops trailing slashes;
 * here a parent ends in a slash, and so does every name but the last.
 */
import { sharedByCopies } from '../errors.js';
import { PathError } from './errors.js';
import { compilePattern } from './pathPattern.js';
import { descend, relativeText } from './relative.js';
import { formatUri, parseUri, refuseBucket, type ObjectUri } from './uri.js';

/** A bucket on a server, and its URI. */
interface Place extends Omit<ObjectUri, 'key'> {
  readonly uri: string;
}

function placeOf(bucket: Omit<ObjectUri, 'key'>): Place {
  return { ...bucket, uri: formatUri({ ...bucket, key: '' }).replace(/\/$/, '') };
}

/** Throws for a URI, which would lose its second slash. */
function refuseUri(text: string): void {
  if (!/^(?:s3[ax]?|file|memory):\/\//i.test(text)) return;
  throw new PathError('InvalidPath', 'A URI is not a path in a bucket. Use S3Path.from(uri).');
}

/**
 * An immutable path in a bucket. Paths are equal if their buckets and strings are ({@link S3Path.equals}).
 *
 * @example
 * ```ts
 * const raw = S3Path.from('s3://lake/raw/');
 * raw.resolve('2026/a.gz').key; // 'raw/2026/a.gz'
 * raw.relativize(S3Path.from('s3://lake/out/b')).toString(); // '../out/b'
 * ```
 */
export class S3Path implements Iterable<string> {
  static {
    sharedByCopies(this, 'S3Path');
  }

  readonly bucket: string;
  // Not `#private`, so that deepEqual compares them.
  private readonly place: Place;
  private readonly text: string;
  private readonly names: readonly string[];

  private constructor(place: Place, text: string) {
    // Keys are UTF-8, which has no lone surrogates.
    if (/\p{Surrogate}/u.test(text)) {
      throw new PathError('InvalidPath', 'A path with half a surrogate pair is not Unicode text.');
    }
    this.place = place;
    this.bucket = place.bucket;
    this.text = text.replace(/\/{2,}/g, '/');
    // As in java.nio, the root has no name, and the empty path has one empty name.
    this.names = this.text === '/' ? [] : this.text.replace(/^\/|\/$/g, '').split('/');
  }

  /**
   * A path in an S3 bucket: joins the non-empty parts with slashes. Absolute if the first starts with a slash. Errors:
   * `InvalidPath` (also for a part that is a URI), `InvalidUri` (a bucket that is an ARN).
   *
   * @example
   * ```ts
   * S3Path.of('lake', 'raw', '2026/', 'a.gz').toString(); // 'raw/2026/a.gz'
   * ```
   */
  static of(bucket: string, ...parts: readonly string[]): S3Path {
    if (bucket === '') throw new PathError('InvalidPath', 'A path needs a bucket: S3Path.of(bucket, path).');
    refuseBucket('s3', bucket);
    for (const part of parts) refuseUri(part);
    return new S3Path(placeOf({ scheme: 's3', bucket }), parts.filter((part) => part !== '').join('/'));
  }

  /** The absolute path of a URI, without its user info. Errors: `InvalidUri`, `UnknownScheme`. */
  static from(uri: string): S3Path {
    const { key, ...place } = parseUri(uri);
    return new S3Path(placeOf(place), `/${key}`);
  }

  /**
   * Compiles `glob:…` or `regex:…`, like java.nio's PathMatcher, or a regular expression. It must match the whole path, without
   * the trailing slash of a directory. Errors: `InvalidPattern`, `InvalidGlob`.
   *
   * @example
   * ```ts
   * [S3Path.of('lake', 'raw/a.txt'), S3Path.of('lake', 'a.txt')].filter(S3Path.matcher('glob:raw/*.{txt,gz}')); // the first
   * ```
   */
  static matcher(pattern: string | RegExp): (path: S3Path) => boolean {
    const matches = compilePattern(pattern);
    return (path) => matches(path.text.replace(/(?!^)\/$/, ''));
  }

  get isAbsolute(): boolean {
    return this.text.startsWith('/');
  }

  get isDirectory(): boolean {
    return this.endsInSlash || ['', '.', '..'].includes(this.names.at(-1) ?? '');
  }

  /** The object's key: absolute and normalized, without the leading slash. Empty for the root. */
  get key(): string {
    return this.toAbsolute().normalize().text.slice(1);
  }

  /** `/`, or `undefined` for a relative path. */
  get root(): S3Path | undefined {
    return this.isAbsolute ? this.with('/') : undefined;
  }

  /** All names but the last, as a directory; `undefined` for the root and for a single relative name. */
  get parent(): S3Path | undefined {
    if (this.nameCount > 1) return this.with(this.start + this.slice(0, this.nameCount - 1));
    return this.nameCount === 1 ? this.root : undefined;
  }

  /** The last name, with a directory's slash; `undefined` for the root. */
  get fileName(): S3Path | undefined {
    return this.nameCount === 0 ? undefined : this.name(this.nameCount - 1);
  }

  /** 0 for the root, 1 for the empty path. */
  get nameCount(): number {
    return this.names.length;
  }

  /** The name at an index from 0. Errors: `IndexOutOfRange`. */
  name(index: number): S3Path {
    return this.subpath(index, index + 1);
  }

  /** The names from `begin` to `end`, exclusive, as a relative path. Errors: `IndexOutOfRange`. */
  subpath(begin: number, end = this.nameCount): S3Path {
    const whole = Number.isInteger(begin) && Number.isInteger(end);
    if (!whole || begin < 0 || end > this.nameCount || begin >= end) {
      throw new PathError(
        'IndexOutOfRange',
        `"${this.text}" has ${this.nameCount} names: there is no subpath from ${begin} to ${end}.`,
      );
    }
    return this.with(this.slice(begin, end));
  }

  /**
   * Iterates over the names as strings. Not as paths: a path of one name would contain itself, and deep comparisons would not
   * terminate.
   */
  *[Symbol.iterator](): IterableIterator<string> {
    for (let i = 0; i < this.nameCount; i += 1) yield this.slice(i, i + 1);
  }

  /**
   * Appends `other` to this path, whether or not this one ends in a slash. Returns `other` if it is absolute, this path if
   * `other` is empty. Errors: `DifferentBuckets`.
   */
  resolve(other: S3Path | string): S3Path {
    const path = this.same(other);
    if (path.isAbsolute || this.text === '') return path;
    return path.text === '' ? this : this.with(`${this.text}/${path.text}`);
  }

  /** Appends `other` to this path's parent. Errors: `DifferentBuckets`. */
  resolveSibling(other: S3Path | string): S3Path {
    const path = this.same(other);
    return this.parent?.resolve(path) ?? path;
  }

  /**
   * The relative path from here to `other`: `this.resolve(it)`, normalized, equals `other`, normalized. Empty if both are the
   * same. Errors: `DifferentBuckets`, `AbsoluteAndRelative`.
   */
  relativize(other: S3Path | string): S3Path {
    const path = this.same(other);
    if (this.isAbsolute !== path.isAbsolute) {
      throw new PathError(
        'AbsoluteAndRelative',
        `No path leads from "${this.text}" to "${path.text}": one is absolute, the other relative. Use toAbsolute() on both.`,
      );
    }
    if (this.text === '') return path;
    return this.with(relativeText(this.steps, path.steps));
  }

  /**
   * Resolves `.` and `..`. At the root, `..` is ignored. A directory remains one.
   */
  normalize(): S3Path {
    const { names, directory } = this.steps;
    return this.with(this.start + names.join('/') + (directory && names.length > 0 ? '/' : ''));
  }

  /** This path as an absolute one. */
  toAbsolute(): S3Path {
    return this.isAbsolute ? this : this.with(`/${this.text}`);
  }

  /** The URI of the object, absolute and normalized, percent-encoded. */
  toUri(): string {
    return formatUri({ ...this.place, key: this.key });
  }

  /** Whether the first names equal those of `other`. `dir` does not start with `dir/`, but `dir/` starts with `dir`. */
  startsWith(other: S3Path | string): boolean {
    const path = this.peer(other);
    if (path === undefined || path.isAbsolute !== this.isAbsolute) return false;
    if (path.nameCount === this.nameCount && path.endsInSlash && !this.endsInSlash) return false;
    return path.names.every((name, i) => name === this.names[i]);
  }

  /** Whether the last names equal those of `other`. `x/dir/` ends with `dir/`, not with `dir`. */
  endsWith(other: S3Path | string): boolean {
    const path = this.peer(other);
    if (path === undefined || path.endsInSlash !== this.endsInSlash) return false;
    const from = this.nameCount - path.nameCount;
    if (from < 0 || (path.isAbsolute && (from > 0 || !this.isAbsolute))) return false;
    return path.names.every((name, i) => name === this.names[from + i]);
  }

  /**
   * Compares by bucket, then by UTF-8 bytes, like java.nio: negative, 0 or positive, for `sort`. This is S3's order of keys if all
   * paths are absolute, or all relative; otherwise use `toAbsolute()` first.
   */
  compare(other: S3Path): number {
    const order = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
    return order(this.place.uri, other.place.uri) || order(this.text, other.text);
  }

  /** Whether `other` is the same path in the same bucket on the same server. */
  equals(other: unknown): boolean {
    return other instanceof S3Path && other.place.uri === this.place.uri && other.text === this.text;
  }

  /** Whether the path matches a pattern of {@link S3Path.matcher}. */
  matches(pattern: string | RegExp): boolean {
    return S3Path.matcher(pattern)(this);
  }

  /** The path as a string, as {@link S3Path.of} takes it after the bucket. */
  toString(): string {
    return this.text;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `S3Path(${this.place.uri}, '${this.text}')`;
  }

  private get endsInSlash(): boolean {
    return this.text.endsWith('/');
  }

  private get start(): string {
    return this.isAbsolute ? '/' : '';
  }

  /** The normalized names from the root. */
  private get steps(): { names: readonly string[]; directory: boolean } {
    return { names: descend(this.names), directory: this.isDirectory };
  }

  private slice(begin: number, end: number): string {
    const slash = end < this.nameCount || this.endsInSlash ? '/' : '';
    return this.names.slice(begin, end).join('/') + slash;
  }

  private with(text: string): S3Path {
    return new S3Path(this.place, text);
  }

  private peer(other: S3Path | string): S3Path | undefined {
    if (typeof other === 'string') {
      refuseUri(other);
      return this.with(other);
    }
    return other.place.uri === this.place.uri ? other : undefined;
  }

  private same(other: S3Path | string): S3Path {
    const path = this.peer(other);
    if (path !== undefined) return path;
    throw new PathError(
      'DifferentBuckets',
      `"${String(other)}" is a path in another bucket than "${this.text}" (${this.place.uri}). Use its URI.`,
    );
  }
}
