/**
 * Objects as plain files, with ETag and metadata in sidecar files.
 *
 * A file is written under a temporary name and given a unique modification time. That time and the size are the name of its
 * sidecar, which is created exclusively, so no two versions of an object share one. Then one `link` (create only) or
 * `rename` (replace) makes the file the object, and its sidecar valid, in one step. A file without a sidecar was written or
 * changed by another program; its ETag is derived from inode, time and size.
 *
 * Steps of a put: temporary file → time → sidecar → sync both → link or rename → sync the directory → remove the old
 * version's sidecar. A crash before the link leaves files that the next process removes. While an old version is replaced, it
 * has a temporary name, so a clean-up also finds its sidecar.
 */
import { randomUUID } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path/posix';
import { descriptionOf } from '../description.js';
import { StoreError } from '../errors.js';
import type { ObjectDescription, ObjectInfo } from '../objectStore.js';
import { absent, errno, unless, type Disk } from './disk.js';
import { toStoreError, unpublished } from './io.js';
import { dropSidecar, sidecarPath, versionOf } from './sidecar.js';
import { filesOf, stateName } from './names.js';
import { noObject, whatIs } from './unlisted.js';
import { checkFile, makeDirectories, partHash, type Place } from './tree.js';
import { isDescription } from './uploadState.js';

/** The content of a sidecar. */
export interface Sidecar extends ObjectDescription {
  readonly etag: string;
}

export class ObjectFiles {
  constructor(private readonly disk: Disk) {}

  /** A temporary path for the object, swept if this process dies. */
  temporary({ directory, part }: Place): string {
    return `${directory}/${stateName}/tmp/${this.disk.owner}~${partHash(part)}~${randomUUID()}`;
  }

  /** Describes the visible version. Errors: `NotSupported` (a device, pipe or socket). */
  async info(place: Place): Promise<ObjectInfo | undefined> {
    for (;;) {
      const found = await this.#visible(place);
      if (found === undefined) return undefined;
      const info = await this.#describe(place, found.stat);
      if (info !== undefined) return info;
      // No sidecar: if the file is unchanged, it never had one.
      const again = await this.#visible(place);
      if (again !== undefined && same(again.stat, found.stat)) return foreign(place.key, found.stat);
    }
  }

  /** Opens the visible version. */
  async open(place: Place): Promise<{ readonly file: FileHandle; readonly info: ObjectInfo } | undefined> {
    for (;;) {
      const found = await this.#visible(place);
      if (found === undefined) return undefined;
      const file = await unless(absent, this.disk.open(found.path));
      if (file === undefined) continue;
      try {
        const stat = await file.stat({ bigint: true });
        const info = await this.#describe(place, stat);
        if (info !== undefined) return { file, info };
        const again = await this.#visible(place);
        if (again !== undefined && same(again.stat, stat)) return { file, info: foreign(place.key, stat) };
      } catch (error) {
        await file.close();
        throw error;
      }
      await file.close();
    }
  }

  /** Writes a temporary file with its sidecar, and syncs both. */
  async write(
    place: Place,
    path: string,
    body: Uint8Array,
    description: Sidecar,
    modified: number,
  ): Promise<void> {
    const stat = await this.disk.write(path, body, uniqueTime(modified, 0.98));
    const { directory, part } = place;
    try {
      await this.disk.write(
        sidecarPath(directory, partHash(part), versionOf(stat)),
        JSON.stringify({ name: part, ...description }),
      );
    } catch (error) {
      if (errno(error) !== 'EEXIST') throw error;
      await this.describe(place, path, description, modified);
      return;
    }
    await this.disk.sync(`${directory}/${stateName}/meta`);
  }

  /** Gives a temporary file its time and sidecar, and syncs both. */
  async describe(place: Place, path: string, description: Sidecar, modified: number): Promise<void> {
    const sidecar = JSON.stringify({ name: place.part, ...description });
    for (let spread = 0.98; ; spread *= 2) {
      await this.disk.touch(path, uniqueTime(modified, spread));
      const stat = await this.disk.lstat(path);
      const at = sidecarPath(place.directory, partHash(place.part), versionOf(stat));
      try {
        await this.disk.create(at, sidecar);
      } catch (error) {
        if (errno(error) === 'EEXIST') continue;
        throw error;
      }
      await Promise.all(
        [path, at, `${place.directory}/${stateName}/meta`].map((what) => this.disk.sync(what)),
      );
      return;
    }
  }

  /** Makes a described file the object, unless one exists (`false`). Needs no lock. */
  async createOnly(place: Place, path: string): Promise<boolean> {
    for (const file of filesOf(place.directory, place.part)) {
      const to = await this.#ready(place, file);
      try {
        await this.disk.link(path, to);
      } catch (error) {
        if (errno(error) !== 'EEXIST') throw toStoreError(to, error, true);
        if ((await unless(absent, this.disk.stat(to)))?.isDirectory() === true) continue;
        return false;
      }
      await this.disk.sync(dirname(to));
      return true;
    }
    return false;
  }

  /**
   * Makes a described file the object if there is none (`false` otherwise, or if the file system has no links), with as few steps as
   * possible. Needs no lock.
   */
  async createFirst(place: Place, path: string): Promise<boolean> {
    const { directory, part } = place;
    const [first, apart] = filesOf(directory, part);
    // Once the object is beside a directory of its name, it stays there.
    if (apart === undefined || (await this.#exists(`${directory}/${apart}`))) return false;
    try {
      await this.disk.link(path, `${directory}/${first}`);
    } catch {
      return false;
    }
    await this.disk.sync(directory);
    return true;
  }

  /** Makes a described file the object, replacing any other. Under the object's lock. */
  async replace(place: Place, path: string): Promise<void> {
    const [first, apart] = filesOf(place.directory, place.part);
    const stat = await unless(absent, this.disk.stat(`${place.directory}/${first}`));
    checkFile(`${place.directory}/${first}`, stat);
    // A link to a directory must not be replaced.
    const free = stat?.isDirectory() === true && apart !== undefined ? apart : first;
    await this.#retire(place, async (old) => {
      const to = old ?? (await this.#ready(place, free));
      try {
        await this.disk.rename(path, to);
        return to;
      } catch (error) {
        if (errno(error) !== 'EISDIR' || apart === undefined) throw toStoreError(to, error, true);
        const beside = await this.#ready(place, apart);
        await this.disk.rename(path, beside);
        return beside;
      }
    });
  }

  /** Whether the object's path is a dangling link. */
  async isBrokenLink({ directory, part }: Place): Promise<boolean> {
    const path = `${directory}/${filesOf(directory, part)[0]}`;
    if ((await unless(absent, this.disk.stat(path))) !== undefined) return false;
    return (await unless(absent, this.disk.lstat(path)))?.isSymbolicLink() === true;
  }

  /** Removes the object or a dangling link. Under the object's lock. */
  async remove(place: Place): Promise<void> {
    if (await this.isBrokenLink(place)) {
      const path = `${place.directory}/${filesOf(place.directory, place.part)[0]}`;
      await unless(absent, this.disk.unlink(path));
      await this.disk.sync(place.directory);
    }
    // Another program may have created a second one.
    while ((await this.#visible(place)) !== undefined) {
      await this.#retire(place, async (old) => {
        if (old !== undefined) await unless(absent, this.disk.unlink(old));
        return old;
      });
    }
  }

  /** Removes a temporary file, and its sidecar unless it became the object. */
  async discard(place: Place, path: string): Promise<void> {
    await dropSidecar(this.disk, place.directory, path, partHash(place.part));
    await unless(absent, this.disk.unlink(path));
  }

  async #exists(path: string): Promise<boolean> {
    return (await unless(absent, this.disk.lstat(path))) !== undefined;
  }

  async #retire(
    place: Place,
    change: (old: string | undefined) => Promise<string | undefined>,
  ): Promise<void> {
    const old = await this.#visible(place);
    const kept = this.temporary(place);
    if (old !== undefined) await unpublished(kept, () => this.disk.link(old.path, kept));
    try {
      const changed = await change(old?.path);
      if (changed !== undefined) await this.disk.sync(dirname(changed));
    } finally {
      if (old !== undefined) await this.discard(place, kept);
    }
  }

  /** The path of one of the place's files. Creates its directory. */
  async #ready({ directory }: Place, file: string): Promise<string> {
    const slash = file.lastIndexOf('/');
    if (slash >= 0) await makeDirectories(this.disk, directory, file.slice(0, slash));
    return `${directory}/${file}`;
  }

  async #visible({
    directory,
    part,
  }: Place): Promise<{ readonly path: string; readonly stat: BigIntStats } | undefined> {
    for (const file of filesOf(directory, part)) {
      const path = `${directory}/${file}`;
      const stat = await unless(absent, this.disk.stat(path));
      if (stat?.isFile() === true) return { path, stat };
      if (stat?.isDirectory() === false) throw noObject(path, whatIs(stat));
    }
    return undefined;
  }

  async #describe({ key, directory, part }: Place, stat: BigIntStats): Promise<ObjectInfo | undefined> {
    const text = await unless(
      absent,
      this.disk.readFile(sidecarPath(directory, partHash(part), versionOf(stat))),
    );
    if (text === undefined) return undefined;
    const description = parse(text);
    if (description === undefined) {
      throw new StoreError(
        'Integrity',
        `The metadata of ${directory}/${part} cannot be read. Remove the file and write it again.`,
      );
    }
    const { etag } = description;
    const described = { metadata: {}, content: {}, ...descriptionOf(description) };
    return { key, size: Number(stat.size), etag, modified: modifiedOf(stat), ...described };
  }
}

/** Parses a sidecar; `undefined` if it is invalid. */
function parse(text: string): Sidecar | undefined {
  try {
    const found = JSON.parse(text) as Partial<Sidecar> | null;
    return typeof found?.etag === 'string' && isDescription(found) ? (found as Sidecar) : undefined;
  } catch {
    return undefined;
  }
}

/** A time within the millisecond, or `spread` of them, that no other version has. Milliseconds. */
function uniqueTime(modified: number, spread: number): number {
  return modified + 0.01 + Math.random() * spread;
}

function foreign(key: string, stat: BigIntStats): ObjectInfo {
  const etag = `file-${stat.ino.toString(36)}-${versionOf(stat)}`;
  return { key, size: Number(stat.size), etag, modified: modifiedOf(stat), metadata: {}, content: {} };
}

function same(a: BigIntStats, b: BigIntStats): boolean {
  return a.ino === b.ino && versionOf(a) === versionOf(b);
}

const modifiedOf = (stat: BigIntStats): number => Number(stat.mtimeNs / 1_000_000n);
