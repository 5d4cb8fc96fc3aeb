import type { Clock } from '../../flow/index.js';
import type { StoreError } from '../errors.js';
import { checkPartNumber, compareUploads, maxPage, md5, noSuchUpload } from '../helpers.js';
import type {
  CreatedUpload,
  PutResult,
  TakeBytes,
  UploadCursor,
  UploadedPart,
  UploadOptions,
  UploadPage,
} from '../objectStore.js';
import { orUndone, unless, type Disk } from './disk.js';
import { cleanUp } from './cleanUp.js';
import type { Tree, Place } from './tree.js';
import type { UploadFiles } from './uploadFiles.js';
import { rootFolder } from './folder.js';
import { folders } from './walk.js';

/** The multipart operations: finds the place of each upload, and takes the object's lock where needed. */
export class Uploads {
  constructor(
    private readonly tree: Tree,
    private readonly disk: Disk,
    private readonly files: UploadFiles,
    private readonly clock: Pick<Clock, 'now'>,
  ) {}

  async create(key: string, options: UploadOptions): Promise<CreatedUpload> {
    const place = await this.tree.prepare(key);
    const uploadId = await this.files.create(place, options, this.clock.now());
    return options.layout === undefined ? { uploadId } : { uploadId, laidOut: true };
  }

  async claim(key: string, uploadId: string): Promise<boolean> {
    const place = await this.#place(key, uploadId);
    return this.tree.locked(place, () => this.files.claim(place, uploadId));
  }

  async release(key: string, uploadId: string): Promise<void> {
    for (const place of await this.tree.find(key)) this.files.release(place, uploadId);
  }

  /** Writes a part of an upload with a layout, by `fill`. */
  async fill(
    key: string,
    uploadId: string,
    number: number,
    fill: (write: TakeBytes) => Promise<void>,
  ): Promise<UploadedPart> {
    checkPartNumber(number);
    return this.files.fill(await this.#place(key, uploadId), uploadId, number, fill);
  }

  async add(
    key: string,
    uploadId: string,
    number: number,
    body: Uint8Array,
    live: () => void,
  ): Promise<UploadedPart> {
    checkPartNumber(number);
    const place = await this.#place(key, uploadId);
    if (await this.files.isLaidOut(place, uploadId))
      return this.files.fill(place, uploadId, number, (write) => write([body], 0), body.length);
    const part = { number, etag: md5(body), size: body.length };
    const written = await this.files.write(place, uploadId, body);
    const add = (): Promise<void> => {
      live();
      return this.files.add(place, uploadId, written, part);
    };
    await orUndone(
      () => this.tree.locked(place, add),
      () => this.files.drop(written),
    );
    return part;
  }

  /** One page of an upload's parts. */
  async parts(
    key: string,
    uploadId: string,
    after: number,
  ): Promise<{ readonly parts: readonly UploadedPart[]; readonly next?: number }> {
    const place = await this.#place(key, uploadId);
    const all = (await this.files.parts(place, uploadId)).filter(({ number }) => number > after);
    const parts = all.slice(0, maxPage);
    const last = parts.at(-1);
    return all.length > maxPage && last !== undefined ? { parts, next: last.number } : { parts };
  }

  /**
   * One page of unfinished uploads. Cleans up each directory on the way: nothing may ever be written to it again, so no later
   * clean-up would reach it.
   */
  async list(prefix: string, after: UploadCursor | undefined, live: () => void): Promise<UploadPage> {
    await this.tree.checkRoot();
    const all: UploadPage['uploads'][number][] = [];
    const look = { disk: this.disk, range: { prefix, from: '' }, links: 'all' } as const;
    for await (const { path, start } of folders(look, rootFolder(this.tree.root))) {
      live();
      await unless(['EACCES', 'EPERM', 'EROFS'], cleanUp(this.disk, path));
      for (const upload of await this.files.in(path, start)) {
        if (upload.key.startsWith(prefix) && (after === undefined || compareUploads(upload, after) > 0))
          all.push(upload);
      }
    }
    const uploads = all.sort(compareUploads).slice(0, maxPage);
    const last = uploads.at(-1);
    return all.length > maxPage && last !== undefined
      ? { uploads, next: { key: last.key, uploadId: last.uploadId } }
      : { uploads };
  }

  /** `check` runs under the object's lock. With `occupied`, the object must not exist, or that is thrown. */
  async complete(
    key: string,
    uploadId: string,
    parts: readonly UploadedPart[],
    check: () => Promise<void>,
    occupied: (() => StoreError) | undefined,
  ): Promise<PutResult> {
    const place = await this.#place(key, uploadId);
    return this.tree.locked(place, async () => {
      await check();
      return this.files.complete(place, uploadId, parts, this.clock.now(), occupied);
    });
  }

  async abort(key: string, uploadId: string): Promise<void> {
    for (const place of await this.tree.find(key))
      if (await this.files.exists(place, uploadId)) {
        await this.tree.checkWay(place.directory);
        await this.tree.locked(place, () => this.files.abort(place, uploadId));
      }
  }

  async #place(key: string, uploadId: string): Promise<Place> {
    const places = await this.tree.find(key);
    for (const place of places)
      if (places.length === 1 || (await this.files.exists(place, uploadId))) {
        await this.tree.checkWay(place.directory);
        return place;
      }
    throw noSuchUpload(key, uploadId);
  }
}
