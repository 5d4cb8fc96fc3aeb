import { constants } from 'node:fs';
import type { Stat } from '../types.js';
import type { Found } from './directories.js';
import { nameIn } from './paths.js';

/**
 * Node's `Stats` for objects: one time (of the last write), no owner, no links. A directory without a marker has no time: it is
 * the epoch.
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
  /** Beyond Node's stats, if the store has it; likewise the following. */
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
    /** The path of its directory, based on the caller's. */
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

/** The entry of a directory as a `Dirent`: `parentPath`, a slash and `name` are its path. */
export function direntIn(directory: string, { path, kind }: Found): Dirent {
  const below = nameIn(directory)(path);
  const slash = below.lastIndexOf('/');
  const parent = slash < 0 ? directory : `${directory.replace(/\/$/, '')}/${below.slice(0, slash)}`;
  return new Dirent(below.slice(slash + 1), parent, kind);
}
