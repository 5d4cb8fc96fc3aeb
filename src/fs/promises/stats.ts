import { constants } from 'node:fs';
import type { Stat } from '../types.js';
import type { Found } from './directories.js';
import { nameIn } from './paths.js';

/**
 * What Node's `Stats` tell, as far as objects have it: one time (when it was written), no owner, no links. Of a directory that
 * is only the common start of keys, not even the time: it is the epoch.
 */
export class Stats {
  readonly dev = 0;
  readonly ino = 0;
  readonly mode: number;
  readonly nlink = 1;
  readonly uid = 0;
  readonly gid = 0;
  readonly rdev = 0;
  readonly size: number;
  readonly blksize = 4096;
  readonly blocks: number;
  readonly atimeMs: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly birthtimeMs: number;
  /** What the store says beyond. */
  readonly etag: string | undefined;
  readonly metadata: Stat['metadata'];
  readonly content: Stat['content'];
  readonly storageClass: string | undefined;

  constructor({ kind, size, modified, etag, metadata, content, storageClass }: Stat) {
    const directory = kind === 'directory';
    this.mode = directory ? constants.S_IFDIR | 0o755 : constants.S_IFREG | 0o644;
    this.size = directory ? 0 : size;
    this.blocks = Math.ceil(this.size / 512);
    this.atimeMs = this.mtimeMs = this.ctimeMs = this.birthtimeMs = modified;
    this.etag = etag;
    this.metadata = metadata;
    this.content = content;
    this.storageClass = storageClass;
  }

  get atime(): Date {
    return new Date(this.atimeMs);
  }
  get mtime(): Date {
    return new Date(this.mtimeMs);
  }
  get ctime(): Date {
    return new Date(this.ctimeMs);
  }
  get birthtime(): Date {
    return new Date(this.birthtimeMs);
  }

  isFile(): boolean {
    return (this.mode & constants.S_IFMT) === constants.S_IFREG;
  }
  isDirectory(): boolean {
    return (this.mode & constants.S_IFMT) === constants.S_IFDIR;
  }
  isSymbolicLink(): boolean {
    return false;
  }
  isBlockDevice(): boolean {
    return false;
  }
  isCharacterDevice(): boolean {
    return false;
  }
  isFIFO(): boolean {
    return false;
  }
  isSocket(): boolean {
    return false;
  }
}

/** An entry of a directory. */
export class Dirent<Name extends string | Buffer = string> {
  readonly #kind: 'object' | 'directory' | 'other';

  constructor(
    readonly name: Name,
    /** The directory it is in, as it was asked for. */
    readonly parentPath: string,
    kind: 'object' | 'directory' | 'other',
  ) {
    this.#kind = kind;
  }

  /** As `parentPath`. */
  get path(): string {
    return this.parentPath;
  }

  isFile(): boolean {
    return this.#kind === 'object';
  }
  isDirectory(): boolean {
    return this.#kind === 'directory';
  }
  isSymbolicLink(): boolean {
    return false;
  }
  isBlockDevice(): boolean {
    return false;
  }
  isCharacterDevice(): boolean {
    return false;
  }
  isFIFO(): boolean {
    return false;
  }
  isSocket(): boolean {
    return false;
  }
}

/** What was found in a directory; its name and its directory's path, joined by a slash, are its path. */
export function direntIn(directory: string, { path, kind }: Found): Dirent {
  const below = nameIn(directory)(path);
  const slash = below.lastIndexOf('/');
  const parent = slash < 0 ? directory : `${directory.replace(/\/$/, '')}/${below.slice(0, slash)}`;
  return new Dirent(below.slice(slash + 1), parent, kind);
}
