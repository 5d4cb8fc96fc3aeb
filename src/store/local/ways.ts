import { posix } from 'node:path';
import { StoreError } from '../errors.js';
import { absent, unless, type Disk } from './disk.js';

/**
 * Where the directories of a store really are. Refuses one that has become a link since it was first written to; links that
 * existed before are the user's own. A change after a check goes unnoticed.
 */
export class Ways {
  readonly #root: string;
  readonly #disk: Disk;
  readonly #ways = new Map<string, string>();

  constructor(root: string, disk: Disk) {
    this.#root = root;
    this.#disk = disk;
  }

  /**
   * Errors: `InvalidRequest`.
   *
   * @param below one of the store's own directories in it, which is checked, too
   */
  async check(directory: string, below = ''): Promise<void> {
    let way = this.#ways.get(directory);
    if (way === undefined) {
      way = await this.#findWay(directory);
      // The step that needs a missing directory reports it.
      if (way === undefined || below === '') return;
    }
    const at = below === '' ? directory : `${directory}/${below}`;
    const real = await this.#realpath(at);
    const before = posix.join(way, below);
    if (real === before) return;
    if (real === undefined) {
      // It is gone, or what it was in leads elsewhere.
      if (below !== '') await this.check(directory);
      else if (directory !== this.#root) await this.check(parentOf(directory));
      return;
    }
    throw new StoreError(
      'InvalidRequest',
      `${at} was the directory ${before}, and leads to ${real} now: a link was put there while it was in use. Nothing was written there. If you have moved the directory, start again; if not, find out who can write beside it.`,
    );
  }

  /** Where a directory that was not used before really is. Remembers it, and the directories that it is in. */
  async #findWay(directory: string): Promise<string | undefined> {
    const unknown = [directory];
    let known = directory;
    while (known !== this.#root && !this.#ways.has(known)) {
      known = parentOf(known);
      if (!this.#ways.has(known)) unknown.unshift(known);
    }
    if (this.#ways.has(known)) await this.check(known);
    const way = await this.#realpath(directory);
    if (way === undefined) return undefined;
    const base = this.#ways.get(known) ?? (await this.#realpath(known)) ?? known;
    const placeOf = (each: string): string => posix.join(base, each.slice(known.length));
    // One call tells that there is no link on the whole path.
    const straight = way === placeOf(directory);
    for (const each of unknown) {
      const real = straight ? placeOf(each) : await this.#realpath(each);
      if (real !== undefined) this.#remember(each, real);
    }
    return way;
  }

  /** Checks only the last part of a path, which takes no walk along it. `false` if that does not suffice. */
  async checkFresh(directory: string): Promise<boolean> {
    const way = this.#ways.get(parentOf(directory));
    const name = posix.basename(directory);
    // File systems may normalize other names.
    if (way === undefined || !/^[ -~]+$/.test(name)) return false;
    if ((await unless(absent, this.#disk.lstat(directory)))?.isDirectory() !== true) return false;
    this.#remember(directory, posix.join(way, name));
    return true;
  }

  /** `undefined` if there is nothing. */
  #realpath(directory: string): Promise<string | undefined> {
    return unless(absent, this.#disk.realpath(directory === '' ? '/' : directory));
  }

  #remember(directory: string, way: string): void {
    if (this.#ways.size > 10_000) this.#ways.clear();
    this.#ways.set(directory, way);
  }
}

/** The directory that another is in: that of `/a` is '', as is the root of a store on `/`. */
export function parentOf(directory: string): string {
  return directory.slice(0, directory.lastIndexOf('/'));
}
