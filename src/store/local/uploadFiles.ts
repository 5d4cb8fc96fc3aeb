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
 * After a crash before 3, the upload can be completed again; after 3 it is over, whatever became of the object since. With
 * `ifNoneMatch`, step 3 is a link, and `staged` is removed next. After a crash in between, the object and `staged` are the
 * same file, which means the same; so before the object is removed, such a `staged` is removed.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { StoreError } from '../errors.js';
import { checkParts, compositeEtag, noSuchUpload } from '../helpers.js';
import type { PutResult, UploadedPart, UploadInfo, UploadOptions } from '../objectStore.js';
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
    private readonly files: ObjectFiles,
    private readonly minimumPartSize: number,
    private readonly completeSubset: boolean,
  ) {}

  async create(place: Place, { metadata, content }: UploadOptions, initiated: number): Promise<string> {
    // Ids sort by time, and so do listings.
    const uploadId = `${Math.max(0, Math.floor(initiated)).toString(36).padStart(10, '0')}-${randomBytes(8).toString('hex')}`;
    const made = this.files.temporary(place);
    const info: Info = {
      name: place.part,
      initiated,
      ...(metadata === undefined ? {} : { metadata }),
      ...(content === undefined ? {} : { content }),
    };
    const path = this.#path(place, uploadId);
    const create = (): Promise<string> =>
      orUndone(
        async () => {
          await this.disk.mkdir(made);
          await this.disk.create(`${made}/info`, JSON.stringify(info));
          await Promise.all([this.disk.sync(`${made}/info`), this.disk.sync(made)]);
          await this.disk.rename(made, path);
          await this.disk.sync(uploadsIn(place.directory));
          return uploadId;
        },
        () => Promise.all([this.disk.removeTree(made), this.disk.removeTree(path)]),
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
    await this.disk.rename(written, `${path}/part-${part.number}-${turn}-${part.etag}-${part.size}`);
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
    const { metadata, content } = await this.#info(place, uploadId);
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
    const etag = compositeEtag(named);
    const sources = named.map(({ number }) => `${path}/${uploaded.get(number)?.file ?? ''}`);
    await orUndone(
      () =>
        unpublished(path, async () => {
          await this.#stage(place, path, sources);
          await this.files.describe(place, `${path}/staged`, { etag, metadata, content }, modified);
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

const validId = /^[0-9a-z]+-[0-9a-f]+$/;

function current(files: readonly PartFile[]): Map<number, PartFile> {
  const latest = new Map<number, PartFile>();
  for (const one of files)
    if (one.turn > (latest.get(one.part.number)?.turn ?? 0)) latest.set(one.part.number, one);
  return latest;
}
