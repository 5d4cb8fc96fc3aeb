/**
 * Objects as plain files, with ETag and metadata beside them.
 *
 * A file is written under a temporary name and given a modification time of its own; that time and the size name its
 * sidecar, which is created exclusively, so no two versions of an object share one. Only then does one `link` (create
 * only) or `rename` (replace) make the file the object, and with it the sidecar valid: there is no moment at which one of
 * them is there without the other. A file with no sidecar was written by another program, or changed by one; its ETag is
 * made of inode, time and size.
 *
 * Steps of a put: temporary file → time → sidecar → sync of both → link or rename → sync of the directory → the old
 * version's sidecar, if any, goes. A crash before the link leaves what the next process sweeps; the old version is kept
 * under a temporary name while it is replaced, so its sidecar is found even then.
 */
import { randomUUID } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { StoreError } from '../errors.js';
import type { ContentHeaders, Metadata, ObjectInfo } from '../objectStore.js';
import { absent, errno, unless, type Disk } from './disk.js';
import { identityOf, sidecarPath } from './identity.js';
import { stateName } from './names.js';
import { dropSidecar } from './sweep.js';
import { checkFile, nameHash, type Place } from './tree.js';

/** What the sidecar holds. */
export interface Description {
  readonly etag: string;
  readonly metadata?: Metadata | undefined;
  readonly content?: ContentHeaders | undefined;
}

export class ObjectFiles {
  constructor(private readonly disk: Disk) {}

  /** A temporary path in the object's directory, swept if this process dies. */
  temporary({ directory, name }: Place): string {
    return `${directory}/${stateName}/tmp/${this.disk.owner}~${nameHash(name)}~${randomUUID()}`;
  }

  /** The visible version, by head only. */
  async info(place: Place): Promise<ObjectInfo | undefined> {
    for (;;) {
      const found = await this.#visible(place);
      if (found === undefined) return undefined;
      const info = await this.#describe(place, found.stat);
      if (info !== undefined) return info;
      // No sidecar. If the file is still the same, it never had one.
      const again = await this.#visible(place);
      if (again !== undefined && same(again.stat, found.stat)) return foreign(place.key, found.stat);
    }
  }

  /** The visible version, open for reading. */
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

  /** Gives a temporary file its time and sidecar, and makes all of it durable. */
  async describe(place: Place, path: string, description: Description, modified: number): Promise<void> {
    const sidecar = JSON.stringify({ name: place.name, ...description });
    for (let spread = 0.98; ; spread *= 2) {
      await this.disk.touch(path, modified + 0.01 + Math.random() * spread);
      const stat = await this.disk.stat(path);
      const at = sidecarPath(place.directory, nameHash(place.name), identityOf(stat));
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

  /** Makes a described file the object, if there is none. `false` if there is one. Needs no lock. */
  async createOnly(place: Place, path: string): Promise<boolean> {
    for (const name of [place.name, `${place.name}%o`]) {
      const to = `${place.directory}/${name}`;
      try {
        await this.disk.link(path, to);
      } catch (error) {
        if (errno(error) !== 'EEXIST') throw error;
        if ((await unless(absent, this.disk.stat(to)))?.isDirectory() === true) continue;
        return false;
      }
      await this.disk.sync(place.directory);
      return true;
    }
    return false;
  }

  /** Makes a described file the object, in place of any other. Under the object's lock. */
  async replace(place: Place, path: string): Promise<void> {
    const plain = `${place.directory}/${place.name}`;
    checkFile(place, await unless(absent, this.disk.stat(plain)));
    await this.#retire(place, async (old) => {
      try {
        await this.disk.rename(path, old ?? plain);
      } catch (error) {
        if (errno(error) !== 'EISDIR') throw error;
        await this.disk.rename(path, `${plain}%o`);
      }
    });
  }

  /** Removes the object, if there is one. Under the object's lock. */
  async remove(place: Place): Promise<void> {
    await this.#retire(place, async (old) => {
      if (old !== undefined) await unless(absent, this.disk.unlink(old));
    });
  }

  /** Removes a temporary file, and its sidecar unless it became the object. */
  async discard(place: Place, path: string): Promise<void> {
    await dropSidecar(this.disk, place.directory, path, nameHash(place.name));
    await unless(absent, this.disk.unlink(path));
  }

  async #retire(place: Place, change: (old: string | undefined) => Promise<void>): Promise<void> {
    const old = await this.#visible(place);
    const kept = this.temporary(place);
    if (old !== undefined) await this.disk.link(old.path, kept);
    await change(old?.path);
    await this.disk.sync(place.directory);
    if (old !== undefined) await this.discard(place, kept);
  }

  async #visible({
    directory,
    name,
  }: Place): Promise<{ readonly path: string; readonly stat: BigIntStats } | undefined> {
    for (const path of [`${directory}/${name}`, `${directory}/${name}%o`]) {
      const stat = await unless(absent, this.disk.stat(path));
      if (stat?.isFile() === true) return { path, stat };
    }
    return undefined;
  }

  async #describe({ key, directory, name }: Place, stat: BigIntStats): Promise<ObjectInfo | undefined> {
    const text = await unless(
      absent,
      this.disk.readFile(sidecarPath(directory, nameHash(name), identityOf(stat))),
    );
    if (text === undefined) return undefined;
    let description: Description;
    try {
      description = JSON.parse(text) as Description;
    } catch (cause) {
      throw new StoreError(
        'Integrity',
        `The metadata of ${directory}/${name} cannot be read. Remove the file and write it again.`,
        { cause },
      );
    }
    const { etag, metadata = {}, content = {} } = description;
    return { key, size: Number(stat.size), etag, modified: modifiedOf(stat), metadata, content };
  }
}

function foreign(key: string, stat: BigIntStats): ObjectInfo {
  const etag = `file-${stat.ino.toString(36)}-${identityOf(stat)}`;
  return { key, size: Number(stat.size), etag, modified: modifiedOf(stat), metadata: {}, content: {} };
}

function same(a: BigIntStats, b: BigIntStats): boolean {
  return a.ino === b.ino && identityOf(a) === identityOf(b);
}

const modifiedOf = (stat: BigIntStats): number => Number(stat.mtimeNs / 1_000_000n);
