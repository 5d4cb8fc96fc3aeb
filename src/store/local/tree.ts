import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { StoreError } from '../errors.js';
import { checkUnicode } from '../helpers.js';
import { absent, errno, unless, type Disk } from './disk.js';
import { locked } from './lock.js';
import { directoriesOf, filesOf, stateName } from './names.js';
import { cleanUp } from './cleanUp.js';
import { broken } from './unlisted.js';
import { parentOf, Ways } from './ways.js';

/** The place of a key's object: one of `filesOf(directory, part)`. */
export interface Place {
  readonly key: string;
  /** The directory that its files, and the store's own directory, are relative to. */
  readonly directory: string;
  /** The last part of the key. */
  readonly part: string;
}

/**
 * The directories of a store. Only files are removed, never directories: once a name is a directory, the object of that name
 * is always in `.millrace-keys` (`names.ts`), so writers agree. If an object has the name first, the directory is in
 * `.millrace-keys`; that is decided under the object's lock, which deleting the object requires, too.
 *
 * Other programs may create a directory with the name of one in `.millrace-keys`. Then both are read, and the latter is
 * written to.
 */
export class Tree {
  /** Directories known to be in use under their plain names. */
  readonly #plain = new Set<string>();
  readonly #prepared = new Map<string, Promise<void>>();
  readonly #ways: Ways;

  constructor(
    readonly root: string,
    readonly disk: Disk,
  ) {
    this.#ways = new Ways(root, disk);
  }

  /** The places where the key's object may be, in order of precedence. Creates no directory. */
  async find(key: string): Promise<readonly Place[]> {
    const [part, parents] = partsOf(key);
    let directories: readonly string[] = [this.root];
    for (const parent of parents) {
      const below: string[] = [];
      for (const directory of directories) below.push(...(await this.#existing(directory, parent)));
      directories = below;
    }
    return directories.map((directory) => ({ key, directory, part }));
  }

  /** The innermost existing directory of the key, and the parts that are missing below it. */
  async nearest(key: string): Promise<{ readonly path: string; readonly missing: readonly string[] }> {
    const [, parents] = partsOf(key);
    let path = this.root;
    for (const [i, parent] of parents.entries()) {
      const [below] = await this.#existing(path, parent);
      if (below === undefined) return { path, missing: parents.slice(i) };
      path = below;
    }
    return { path, missing: [] };
  }

  /** The place where the key is written. Creates its directories. */
  async prepare(key: string): Promise<Place> {
    const [part, parents] = partsOf(key);
    let directory = this.root;
    let fresh = false;
    for (const parent of parents) ({ directory, fresh } = await this.#made(directory, parent, fresh));
    const place = { key, directory, part };
    await this.prepareAt(place);
    return place;
  }

  /** Creates the store's own directory of a place. */
  async prepareAt({ directory, part }: Place): Promise<void> {
    let prepared = this.#prepared.get(directory);
    if (prepared === undefined) {
      const [file] = filesOf(directory, part);
      // Names in /dev may be open files of processes, which must not be replaced.
      if (directory === '/dev') throw noFile(`${directory}/${file}`);
      checkFile(`${directory}/${file}`, await unless(absent, this.disk.stat(`${directory}/${file}`)));
      await this.#ways.check(directory);
      prepared = this.#prepareState(directory);
      this.#prepared.set(directory, prepared);
      prepared.catch(() => this.#prepared.delete(directory));
    }
    await prepared;
    await this.checkWay(directory);
  }

  /** Refuses a directory that has become a link since it was first written to. Errors: `InvalidRequest`. */
  checkWay(directory: string): Promise<void> {
    return this.#ways.check(directory, stateName);
  }

  /** The error of a dangling link in the object's place, if there is one. */
  async brokenLink(key: string): Promise<StoreError | undefined> {
    for (const { directory, part } of await this.find(key)) {
      const path = `${directory}/${filesOf(directory, part)[0]}`;
      if ((await unless(absent, this.disk.stat(path))) !== undefined) continue;
      const found = await broken(this.disk, key, path);
      if (found !== undefined) return found.error;
    }
    return undefined;
  }

  /** Runs `work` under the object's lock. */
  locked<T>({ directory, part }: Omit<Place, 'key'>, work: () => Promise<T>): Promise<T> {
    const stripe = parseInt(partHash(part).slice(0, 1), 16) % 8;
    return locked(this.disk, `${directory}/${stateName}/locks/${stripe}`, work);
  }

  /** Handles an error that may mean that a directory in use was removed: directories are then looked up again. */
  async ifRemoved(directory: string, error: unknown): Promise<unknown> {
    if (errno(error) !== 'ENOENT') return error;
    await this.checkRoot();
    this.#plain.clear();
    this.#prepared.clear();
    return new StoreError(
      'Unavailable',
      `The directory ${directory} has been removed while it was used. Try again.`,
      { cause: error },
    );
  }

  async checkRoot(): Promise<void> {
    if ((await unless(absent, this.disk.stat(this.root)))?.isDirectory() !== true) throw this.missingRoot();
  }

  missingRoot(): StoreError {
    return new StoreError(
      'NotFound',
      `The directory ${this.root} does not exist. It is the bucket, and jobs never create buckets: make it (mkdir ${this.root}) or correct the URI.`,
      { serverCode: 'NoSuchBucket', status: 404 },
    );
  }

  /** The existing directories of a part; the first is written to. */
  async #existing(parent: string, part: string): Promise<readonly string[]> {
    const [first, plain] = directoriesOf(parent, part).map((path) => `${parent}/${path}`);
    if (first === undefined) return [];
    if (plain === undefined) return (await this.#isDirectory(first)) ? [first] : [];
    if (this.#plain.has(plain)) return [plain];
    const isPlain = await this.#isDirectory(plain);
    // Checked after the plain name: while that is a directory, no other is created.
    const isKeptApart = await this.#isDirectory(first);
    if (!isKeptApart && isPlain) {
      if (this.#plain.size > 10_000) this.#plain.clear();
      this.#plain.add(plain);
    }
    return [...(isKeptApart ? [first] : []), ...(isPlain ? [plain] : [])];
  }

  /**
   * The directory of a part; creates it if it is missing.
   *
   * @param fresh the parent was just created, in a directory that was checked
   */
  async #made(
    parent: string,
    part: string,
    fresh: boolean,
  ): Promise<{ readonly directory: string; readonly fresh: boolean }> {
    let made = false;
    for (;;) {
      const [found] = await this.#existing(parent, part);
      if (found !== undefined) return { directory: found, fresh: made && parentOf(found) === parent };
      const [first, plain] = directoriesOf(parent, part);
      if (!fresh || !(await this.#ways.checkFresh(parent))) await this.#ways.check(parent);
      made = true;
      if (plain === undefined) await this.#make(parent, first);
      else if (!(await this.#makePlain(parent, plain))) {
        // Another process has just created it.
        if (await this.#isDirectory(`${parent}/${plain}`)) continue;
        // An object has the name: unless it is just being removed, the directory goes to `.millrace-keys`.
        await this.#prepareState(parent);
        await this.locked({ directory: parent, part }, async () => {
          if (!(await this.#makePlain(parent, plain)) && !(await this.#isDirectory(`${parent}/${plain}`)))
            await this.#make(parent, first);
        });
      }
    }
  }

  /** `false` if the name is taken. */
  async #makePlain(parent: string, name: string): Promise<boolean> {
    try {
      await this.#make(parent, name, []);
      return true;
    } catch (error) {
      if (errno(error) === 'EEXIST') return false;
      throw error;
    }
  }

  async #make(parent: string, path: string, tolerated: readonly string[] = ['EEXIST']): Promise<void> {
    try {
      await makeDirectories(this.disk, parent, path, tolerated);
    } catch (error) {
      throw await this.ifRemoved(parent, error);
    }
  }

  async #isDirectory(path: string): Promise<boolean> {
    return (await unless(absent, this.disk.stat(path)))?.isDirectory() === true;
  }

  async #prepareState(directory: string): Promise<void> {
    const state = `${directory}/${stateName}`;
    const fresh = await makeOwn(this.disk, state);
    for (const sub of ['tmp', 'meta', 'locks', 'uploads']) await makeOwn(this.disk, `${state}/${sub}`);
    if (fresh) await Promise.all([this.disk.sync(directory), this.disk.sync(state)]);
    else await cleanUp(this.disk, directory);
  }
}

/** The last part of a key, and those before it. Throws `InvalidRequest` for invalid Unicode. */
function partsOf(key: string): readonly [part: string, parents: readonly string[]] {
  checkUnicode(key);
  const parts = key.split('/');
  return [parts.pop() ?? '', parts];
}

/** Creates one of the store's own directories; `false` if it exists. Throws `InvalidRequest` for a link, which is never the store's. */
async function makeOwn(disk: Disk, path: string): Promise<boolean> {
  const made = await unless(
    ['EEXIST'],
    disk.mkdir(path).then(() => true),
  );
  if (made === true) return true;
  if ((await unless(absent, disk.lstat(path)))?.isSymbolicLink() !== true) return false;
  throw new StoreError(
    'InvalidRequest',
    `${path} is a link: another program has put it where this store keeps files of its own. Remove it, and find out who can write there.`,
  );
}

/** Makes the directories of a path below `base`, durably. */
export async function makeDirectories(
  disk: Disk,
  base: string,
  path: string,
  tolerated: readonly string[] = ['EEXIST'],
): Promise<void> {
  let at = base;
  for (const name of path.split('/')) {
    await unless(tolerated, disk.mkdir(`${at}/${name}`));
    await disk.sync(at);
    at = `${at}/${name}`;
  }
}

/** Throws if there is a device, pipe or socket, which must not be replaced. */
export function checkFile(path: string, stat: BigIntStats | undefined): void {
  if (stat?.isFile() === false && !stat.isDirectory()) throw noFile(path);
}

function noFile(path: string): StoreError {
  return new StoreError(
    'InvalidRequest',
    `${path} is not a regular file, and would be replaced by one. Choose another path; on the command line, - is standard output.`,
  );
}

/** A short name for the files of a part. */
export function partHash(part: string): string {
  return createHash('sha256').update(part).digest('hex').slice(0, 16);
}
