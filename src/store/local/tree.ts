import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { StoreError } from '../errors.js';
import { absent, errno, unless, type Disk } from './disk.js';
import { locked } from './lock.js';
import { namesOf, stateName } from './names.js';
import { sweep } from './sweep.js';

/** Where a key's object is or would be. */
export interface Place {
  readonly key: string;
  readonly directory: string;
  /** The object's file name in it, unless a directory has taken it: then with the suffix `%o`. */
  readonly name: string;
}

/**
 * The directories of a store. They are never removed, only files are: so once a name is a directory, its object lives
 * beside it under `%o` for good, and two writers can't disagree. The other way round, where an object was first, the
 * directory takes `%d`; that is decided under the object's lock, which whoever deletes the object holds too.
 */
export class Tree {
  /** Directories that can't change their names any more. */
  readonly #known = new Map<string, string>();
  readonly #prepared = new Map<string, Promise<void>>();

  constructor(
    readonly root: string,
    readonly disk: Disk,
  ) {}

  /** Where the key would be; makes no directory. `undefined` if a directory on the way does not exist. */
  async find(key: string): Promise<Place | undefined> {
    return this.#walk(key, (parent, name, isPiece) => this.#existing(parent, name, isPiece));
  }

  /** Where the key goes; makes the directories, and the store's own beside the object. */
  async prepare(key: string): Promise<Place> {
    const place = await this.#walk(key, (parent, name, isPiece) => this.#made(parent, name, isPiece));
    if (place === undefined) throw this.missingRoot();
    let prepared = this.#prepared.get(place.directory);
    if (prepared === undefined) {
      // Some of its names stand for others' open files: none is to be replaced, whatever it is.
      if (place.directory === '/dev') throw noFile(`${place.directory}/${place.name}`);
      checkFile(place, await unless(absent, this.disk.stat(`${place.directory}/${place.name}`)));
      prepared = this.#prepareState(place.directory);
      this.#prepared.set(place.directory, prepared);
      prepared.catch(() => this.#prepared.delete(place.directory));
    }
    await prepared;
    return place;
  }

  /** Runs `work` while no other process changes the object. */
  locked<T>(place: Place, work: () => Promise<T>): Promise<T> {
    const stripe = parseInt(nameHash(place.name).slice(0, 1), 16) % 8;
    return locked(this.disk, `${place.directory}/${stateName}/locks/${stripe}`, work);
  }

  async checkRoot(): Promise<void> {
    if ((await unless(absent, this.disk.stat(this.root)))?.isDirectory() !== true) throw this.missingRoot();
  }

  missingRoot(): StoreError {
    return new StoreError(
      'NotFound',
      `The directory ${this.root} does not exist. It stands for the bucket, and jobs never create buckets: make it (mkdir ${this.root}) or correct the URI.`,
      { serverCode: 'NoSuchBucket', status: 404 },
    );
  }

  async #walk(
    key: string,
    enter: (parent: string, name: string, isPiece: boolean) => Promise<string | undefined>,
  ): Promise<Place | undefined> {
    const parts = key.split('/');
    let directory = this.root;
    for (const [i, part] of parts.entries()) {
      const names = namesOf(part);
      const own = i === parts.length - 1 ? names.slice(0, -1) : names;
      for (const [j, name] of own.entries()) {
        const next = await enter(directory, name, j < names.length - 1);
        if (next === undefined) return undefined;
        directory = next;
      }
    }
    return { key, directory, name: namesOf(parts.at(-1) ?? '').at(-1) ?? '' };
  }

  async #existing(parent: string, name: string, isPiece: boolean): Promise<string | undefined> {
    const path = `${parent}/${name}`;
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    const isDirectory = (await unless(absent, this.disk.stat(path)))?.isDirectory() === true;
    if (isPiece) return isDirectory ? this.#know(path, path) : undefined;
    // Asked after the plain name: while that is a directory, no `%d` can come into being.
    const beside = await unless(absent, this.disk.stat(`${path}%d`));
    if (beside?.isDirectory() === true) return this.#know(path, `${path}%d`);
    return isDirectory ? this.#know(path, path) : undefined;
  }

  async #made(parent: string, name: string, isPiece: boolean): Promise<string> {
    const found = await this.#existing(parent, name, isPiece);
    if (found !== undefined) return found;
    const path = `${parent}/${name}`;
    try {
      await this.disk.mkdir(path);
    } catch (error) {
      if (errno(error) === 'ENOENT') {
        await this.checkRoot();
        this.#known.clear(); // someone has removed directories under us
        throw new StoreError(
          'Unavailable',
          `The directory ${parent} has been removed while it was used. Try again.`,
          { cause: error },
        );
      }
      if (errno(error) !== 'EEXIST') throw error;
      await this.#makeBeside(parent, name);
    }
    await this.disk.sync(parent);
    return (await this.#existing(parent, name, isPiece)) ?? this.#made(parent, name, isPiece);
  }

  /** An object has the name: unless it goes just now, the directory gets another. */
  async #makeBeside(parent: string, name: string): Promise<void> {
    await this.#prepareState(parent);
    await this.locked({ key: '', directory: parent, name }, async () => {
      const stat = await unless(absent, this.disk.stat(`${parent}/${name}`));
      if (stat?.isDirectory() === false) await unless(['EEXIST'], this.disk.mkdir(`${parent}/${name}%d`));
    });
  }

  #know(path: string, actual: string): string {
    if (this.#known.size > 10_000) this.#known.clear();
    this.#known.set(path, actual);
    return actual;
  }

  async #prepareState(directory: string): Promise<void> {
    const state = `${directory}/${stateName}`;
    const fresh =
      (await unless(
        ['EEXIST'],
        this.disk.mkdir(state).then(() => true),
      )) === true;
    for (const sub of ['tmp', 'meta', 'locks', 'uploads'])
      await unless(['EEXIST'], this.disk.mkdir(`${state}/${sub}`));
    if (fresh) await Promise.all([this.disk.sync(directory), this.disk.sync(state)]);
    else await sweep(this.disk, directory);
  }
}

/** Devices, pipes and sockets are not objects, and must not be replaced by one. */
export function checkFile({ directory, name }: Place, stat: BigIntStats | undefined): void {
  if (stat?.isFile() === false && !stat.isDirectory()) throw noFile(`${directory}/${name}`);
}

function noFile(path: string): StoreError {
  return new StoreError(
    'InvalidRequest',
    `${path} is no regular file, and would be replaced by one. Name another; on the command line, - is standard output.`,
  );
}

/** Names the files that belong to a name, whatever its length. */
export function nameHash(name: string): string {
  return createHash('sha256').update(name).digest('hex').slice(0, 16);
}
