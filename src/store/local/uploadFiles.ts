/**
 * Multipart uploads as directories next to their objects: `.millrace/uploads/<id>/` contains `info`, and each part as a file
 * `part-<number>-<turn>-<etag>-<size>`; of one number, the highest turn is valid.
 *
 * Steps of Complete, under the object's lock:
 * 1. the named parts are concatenated to `staged`, which gets a time and a sidecar like any object;
 * 2. a mark `completing` is created: `staged` is about to become the object;
 * 3. one rename makes it the object: from now on, the mark without `staged` means that the id has been used;
 * 4. the directory is removed.
 *
 * An upload with a layout has one file `data` instead, preallocated, of all parts at their places: then the files of parts are
 * empty, each created when its bytes are written, and `staged` is a link to `data`. Only one copy may write to it, since what
 * another writes after step 3 changes the object: the mark `owner` tells the process (`claim`).
 *
 * After a crash before 3, the upload can be completed again; after 3 it is over, whatever became of the object since. With
 * `ifNoneMatch`, step 3 is a link, and `staged` is removed next. After a crash in between, the object and `staged` are the
 * same file, which means the same; so before the object is removed, such a `staged` is removed.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { descriptionOf } from '../description.js';
import { isStoreError, StoreError } from '../errors.js';
import { checkParts, compositeEtag, md5, noSuchUpload } from '../helpers.js';
import type {
  Layout,
  PutResult,
  TakeBytes,
  UploadedPart,
  UploadInfo,
  UploadOptions,
} from '../objectStore.js';
import { absent, orUndone, unless, type Disk } from './disk.js';
import { unpublished } from './io.js';
import { filesOf } from './names.js';
import type { ObjectFiles } from './objectFiles.js';
import { dropSidecar } from './sidecar.js';
import { partHash, type Place } from './tree.js';
import { isUsed, readInfo, uploadsIn, type Info } from './uploadState.js';

interface PartFile {
  readonly part: UploadedPart;
  readonly turn: number;
  readonly file: string;
}

export class UploadFiles {
  constructor(
    private readonly disk: Disk,
    private readonly files: Pick<ObjectFiles, 'temporary' | 'info' | 'describe' | 'replace' | 'createOnly'>,
    private readonly minimumPartSize: number,
    private readonly completeSubset: boolean,
  ) {}

  async create(place: Place, { layout, ...options }: UploadOptions, initiated: number): Promise<string> {
    // Ids sort by time, and so do listings.
    const uploadId = `${Math.max(0, Math.floor(initiated)).toString(36).padStart(10, '0')}-${randomBytes(8).toString('hex')}`;
    const made = this.files.temporary(place);
    const info: Info = {
      name: place.part,
      initiated,
      ...descriptionOf(options),
      ...(layout === undefined ? {} : { layout }),
    };
    const path = this.#path(place, uploadId);
    const create = (): Promise<string> =>
      orUndone(
        async () => {
          await this.disk.mkdir(made);
          await this.disk.create(`${made}/info`, JSON.stringify(info));
          if (layout !== undefined) {
            await this.disk.allocate(`${made}/data`, layout.size);
            await this.disk.mark(this.disk.owner, `${made}/owner`);
            hold(this.disk, path);
          }
          await Promise.all([this.disk.sync(`${made}/info`), this.disk.sync(made)]);
          await this.disk.rename(made, path);
          await this.disk.sync(uploadsIn(place.directory));
          return uploadId;
        },
        () => {
          leave(this.disk, path);
          return Promise.all([this.disk.removeTree(made), this.disk.removeTree(path)]);
        },
      );
    return unpublished(path, create);
  }

  /** Writes a part under a temporary name. */
  async write(place: Place, uploadId: string, body: Uint8Array): Promise<string> {
    await this.#info(place, uploadId);
    const written = `${this.#path(place, uploadId)}/writing-${randomUUID()}`;
    const write = async (): Promise<true> => {
      await this.disk.create(written, body);
      await this.disk.sync(written);
      return true;
    };
    const done = await unpublished(written, () =>
      unless(
        absent,
        orUndone(write, () => this.disk.unlink(written)),
      ),
    );
    if (done === undefined) throw noSuchUpload(place.key, uploadId);
    return written;
  }

  /** Takes over an upload with a layout. `false` if another copy may still write to it. Under the object's lock. */
  async claim(place: Place, uploadId: string): Promise<boolean> {
    const { layout } = await this.#info(place, uploadId);
    const path = this.#path(place, uploadId);
    const mark = `${path}/owner`;
    const owner = await unless(absent, this.disk.readMark(mark));
    const mine = owner === this.disk.owner;
    if (layout === undefined || isHeld(this.disk, path)) return false;
    if (owner !== undefined && !mine && this.disk.alive(owner)) return false;
    if (!mine) {
      await unless(absent, this.disk.unlink(mark));
      await this.disk.mark(this.disk.owner, mark);
    }
    hold(this.disk, path);
    return true;
  }

  /** Another copy may claim the upload, when no part of it is being written any more. */
  release(place: Place, uploadId: string): void {
    leave(this.disk, this.#path(place, uploadId));
  }

  async isLaidOut(place: Place, uploadId: string): Promise<boolean> {
    return (await this.#info(place, uploadId)).layout !== undefined;
  }

  /** Writes a part of an upload with a layout, by `fill`, whose positions are those in the part. */
  async fill(
    place: Place,
    uploadId: string,
    number: number,
    fill: (write: TakeBytes) => Promise<void>,
    bytes?: number,
  ): Promise<UploadedPart> {
    const { layout } = await this.#info(place, uploadId);
    const start = layout === undefined ? 0 : (number - 1) * layout.partSize;
    if (layout === undefined || start >= layout.size) throw noSuchPart(place.key, number);
    const size = Math.min(layout.partSize, layout.size - start);
    if (bytes !== undefined && bytes !== size) throw noSuchPart(place.key, number);
    // The same for all attempts, which write the same bytes.
    const part = { number, etag: md5(Buffer.from(`${layout.etag} ${number}`)), size };
    const path = this.#path(place, uploadId);
    hold(this.disk, path);
    try {
      await unpublished(path, () =>
        this.disk.fill(`${path}/data`, (write) =>
          fill((chunks, position) => write(chunks, start + position)),
        ),
      );
      await unpublished(path, () => unless(['EEXIST'], this.disk.create(`${path}/${nameOf(part, 1)}`, '')));
    } catch (error) {
      throw isStoreError(error, 'NotFound') ? noSuchUpload(place.key, uploadId) : error;
    } finally {
      leave(this.disk, path);
    }
    return part;
  }

  /** Removes a written part that was not added. */
  async drop(written: string): Promise<void> {
    await unless(absent, this.disk.unlink(written));
  }

  /** Adds a written part, replacing an earlier one with its number. Under the object's lock. */
  async add(place: Place, uploadId: string, written: string, part: UploadedPart): Promise<void> {
    await this.#info(place, uploadId);
    const before = (await this.#files(place, uploadId)).filter((one) => one.part.number === part.number);
    const turn = Math.max(0, ...before.map((one) => one.turn)) + 1;
    const path = this.#path(place, uploadId);
    await this.disk.rename(written, `${path}/${nameOf(part, turn)}`);
    await this.disk.sync(path);
    for (const { file } of before) await unless(absent, this.disk.unlink(`${path}/${file}`));
  }

  async parts(place: Place, uploadId: string): Promise<UploadedPart[]> {
    await this.#info(place, uploadId);
    return [...current(await this.#files(place, uploadId)).values()]
      .map(({ part }) => part)
      .sort((a, b) => a.number - b.number);
  }

  /** Under the object's lock. With `occupied`, the object must not exist, or that is thrown. */
  async complete(
    place: Place,
    uploadId: string,
    named: readonly UploadedPart[],
    modified: number,
    occupied: (() => StoreError) | undefined,
  ): Promise<PutResult> {
    const { layout, ...info } = await this.#info(place, uploadId);
    const uploaded = current(await this.#files(place, uploadId));
    checkParts(place.key, named, (number) => uploaded.get(number)?.part, this.minimumPartSize);
    if (!this.completeSubset && named.length !== uploaded.size) {
      throw new StoreError(
        'InvalidPart',
        `Complete of ${place.key} leaves uploaded parts out, which this store refuses.`,
        { status: 400 },
      );
    }
    if (occupied !== undefined && (await this.files.info(place)) !== undefined) throw occupied();
    const path = this.#path(place, uploadId);
    const missing = layout === undefined ? undefined : firstMissing(layout, named);
    if (missing !== undefined) throw noSuchPart(place.key, missing);
    const etag = layout?.etag ?? compositeEtag(named);
    const sources =
      layout === undefined
        ? named.map(({ number }) => `${path}/${uploaded.get(number)?.file ?? ''}`)
        : [`${path}/data`];
    await orUndone(
      () =>
        unpublished(path, async () => {
          await this.#stage(place, path, sources);
          await this.files.describe(place, `${path}/staged`, { ...descriptionOf(info), etag }, modified);
          await this.disk.create(`${path}/completing`, '');
          await this.disk.sync(path);
        }),
      () => this.#unstage(place, path),
    );
    if (occupied === undefined) {
      await this.finishCompleted(place);
      await this.files.replace(place, `${path}/staged`);
    } else if (await this.files.createOnly(place, `${path}/staged`))
      await unless(absent, this.disk.unlink(`${path}/staged`));
    else {
      await this.#unstage(place, path);
      throw occupied();
    }
    await this.#remove(place, path);
    return { etag };
  }

  async exists(place: Place, uploadId: string): Promise<boolean> {
    return (
      validId.test(uploadId) && (await readInfo(this.disk, this.#path(place, uploadId)))?.name === place.part
    );
  }

  /** Under the object's lock. */
  async abort(place: Place, uploadId: string): Promise<void> {
    if (await this.exists(place, uploadId)) await this.#remove(place, this.#path(place, uploadId));
  }

  /** The unfinished uploads in a directory, whose keys start with `start`. */
  async in(directory: string, start: string): Promise<UploadInfo[]> {
    const uploads: UploadInfo[] = [];
    for (const { name } of (await unless(absent, this.disk.readdir(uploadsIn(directory)))) ?? []) {
      const path = `${uploadsIn(directory)}/${name}`;
      const info = await readInfo(this.disk, path);
      if (info !== undefined && !(await isUsed(this.disk, directory, path)))
        uploads.push({ key: start + info.name, uploadId: name, initiated: info.initiated });
    }
    return uploads;
  }

  /** Before the object is removed: finishes an upload whose `staged` is the same file. Under the object's lock. */
  async finishCompleted(place: Place): Promise<void> {
    const stats = await Promise.all(
      filesOf(place.directory, place.part).map((file) =>
        unless(absent, this.disk.stat(`${place.directory}/${file}`)),
      ),
    );
    if (!stats.some((stat) => stat?.isFile() === true && stat.nlink > 1n)) return;
    for (const { name } of (await unless(absent, this.disk.readdir(uploadsIn(place.directory)))) ?? []) {
      const path = `${uploadsIn(place.directory)}/${name}`;
      if (await isUsed(this.disk, place.directory, path))
        await unless(absent, this.disk.unlink(`${path}/staged`));
    }
  }

  async #stage(place: Place, path: string, sources: readonly string[]): Promise<void> {
    await this.#unstage(place, path);
    const [only] = sources;
    if (only !== undefined && sources.length === 1) await this.disk.link(only, `${path}/staged`);
    else {
      const written = `${path}/writing-${randomUUID()}`;
      await orUndone(
        () => this.disk.concat(written, sources),
        () => this.disk.unlink(written),
      );
      await this.disk.rename(written, `${path}/staged`);
    }
  }

  /** Reverts an unfinished Complete, first the mark, so that the id never looks used. */
  async #unstage(place: Place, path: string): Promise<void> {
    await unless(absent, this.disk.unlink(`${path}/completing`));
    await dropSidecar(this.disk, place.directory, `${path}/staged`, partHash(place.part));
    await unless(absent, this.disk.unlink(`${path}/staged`));
  }

  async #remove(place: Place, path: string): Promise<void> {
    leave(this.disk, path);
    const gone = this.files.temporary(place);
    await dropSidecar(this.disk, place.directory, `${path}/staged`, partHash(place.part));
    // A clean-up may have moved it already.
    await unless(absent, this.disk.rename(path, gone));
    await this.disk.sync(uploadsIn(place.directory));
    await this.disk.removeTree(gone);
  }

  async #info(place: Place, uploadId: string): Promise<Info> {
    const path = this.#path(place, uploadId);
    const info = validId.test(uploadId) ? await readInfo(this.disk, path) : undefined;
    if (info?.name !== place.part || (await isUsed(this.disk, place.directory, path))) {
      throw noSuchUpload(place.key, uploadId);
    }
    return info;
  }

  async #files(place: Place, uploadId: string): Promise<PartFile[]> {
    const entries = await unless(absent, this.disk.readdir(this.#path(place, uploadId)));
    if (entries === undefined) throw noSuchUpload(place.key, uploadId);
    return entries.flatMap(({ name, kind }) => {
      const [, number, turn, etag, size] = /^part-(\d+)-(\d+)-([0-9a-f]+)-(\d+)$/.exec(name) ?? [];
      if (etag === undefined || kind !== 'file') return [];
      return [{ part: { number: Number(number), etag, size: Number(size) }, turn: Number(turn), file: name }];
    });
  }

  #path(place: Place, uploadId: string): string {
    return `${uploadsIn(place.directory)}/${uploadId}`;
  }
}

/** The uploads of this process that are written into: how many copies and parts hold each. */
const held = new Map<string, number>();

function hold({ owner }: Disk, path: string): void {
  const id = `${owner} ${path}`;
  held.set(id, (held.get(id) ?? 0) + 1);
}

function leave({ owner }: Disk, path: string): void {
  const id = `${owner} ${path}`;
  const left = (held.get(id) ?? 0) - 1;
  if (left > 0) held.set(id, left);
  else held.delete(id);
}

function isHeld({ owner }: Disk, path: string): boolean {
  return held.has(`${owner} ${path}`);
}

function nameOf({ number, etag, size }: UploadedPart, turn: number): string {
  return `part-${number}-${turn}-${etag}-${size}`;
}

function firstMissing({ size, partSize }: Layout, named: readonly UploadedPart[]): number | undefined {
  const found = new Set(named.map(({ number }) => number));
  for (let number = 1; number <= Math.max(1, Math.ceil(size / partSize)); number++)
    if (!found.has(number)) return number;
  return undefined;
}

function noSuchPart(key: string, number: number): StoreError {
  return new StoreError(
    'InvalidPart',
    `The upload of ${key} has one file for all parts, and part ${number} is missing or not in its layout. Upload all of them.`,
    { status: 400 },
  );
}

const validId = /^[0-9a-z]+-[0-9a-f]+$/;

function current(files: readonly PartFile[]): Map<number, PartFile> {
  const latest = new Map<number, PartFile>();
  for (const one of files)
    if (one.turn > (latest.get(one.part.number)?.turn ?? 0)) latest.set(one.part.number, one);
  return latest;
}
