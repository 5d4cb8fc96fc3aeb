import type { Clock } from '../../flow/index.js';
import { descriptionOf } from '../description.js';
import { StoreError } from '../errors.js';
import { checkParts, compareUploads, compositeEtag, maxPage, noSuchUpload } from '../helpers.js';
import type {
  ObjectDescription,
  UploadCursor,
  UploadedPart,
  UploadInfo,
  UploadPage,
} from '../objectStore.js';

interface Upload extends UploadInfo {
  readonly described: ObjectDescription;
  readonly parts: Map<number, { readonly part: UploadedPart; readonly chunks: readonly Uint8Array[] }>;
}

/** The unfinished multipart uploads. An id works once: completed or aborted, it is unknown. */
export class Uploads {
  readonly #uploads = new Map<string, Upload>();
  #created = 0;

  constructor(
    private readonly clock: Pick<Clock, 'now'>,
    private readonly minimumPartSize: number,
    private readonly completeSubset: boolean,
  ) {}

  create(key: string, options: ObjectDescription): string {
    this.#created += 1;
    const uploadId = `upload-${String(this.#created).padStart(8, '0')}`;
    const described = descriptionOf(options);
    this.#uploads.set(uploadId, { key, uploadId, initiated: this.clock.now(), described, parts: new Map() });
    return uploadId;
  }

  add(
    key: string,
    uploadId: string,
    number: number,
    chunks: readonly Uint8Array[],
    etag: string,
  ): UploadedPart {
    const upload = this.#find(key, uploadId);
    const part = { number, etag, size: chunks.reduce((sum, chunk) => sum + chunk.length, 0) };
    upload.parts.set(number, { part, chunks });
    return part;
  }

  parts(key: string, uploadId: string, after: number): { parts: UploadedPart[]; next?: number } {
    const all = [...this.#find(key, uploadId).parts.values()]
      .map(({ part }) => part)
      .filter(({ number }) => number > after)
      .sort((a, b) => a.number - b.number);
    const parts = all.slice(0, maxPage);
    const last = parts.at(-1);
    return all.length > maxPage && last !== undefined ? { parts, next: last.number } : { parts };
  }

  list(prefix: string, after: UploadCursor | undefined): UploadPage {
    const all = [...this.#uploads.values()]
      .map(({ key, uploadId, initiated }) => ({ key, uploadId, initiated }))
      .filter(
        (upload) =>
          upload.key.startsWith(prefix) && (after === undefined || compareUploads(upload, after) > 0),
      )
      .sort(compareUploads);
    const uploads = all.slice(0, maxPage);
    const last = uploads.at(-1);
    return all.length > maxPage && last !== undefined
      ? { uploads, next: { key: last.key, uploadId: last.uploadId } }
      : { uploads };
  }

  /** The object that Complete would store. Errors: `NotFound`, `InvalidPart`, `TooSmall`, `InvalidRequest`. */
  check(
    key: string,
    uploadId: string,
    named: readonly UploadedPart[],
  ): { chunks: Uint8Array[]; etag: string; described: ObjectDescription; initiated: number } {
    const upload = this.#find(key, uploadId);
    checkParts(key, named, (number) => upload.parts.get(number)?.part, this.minimumPartSize);
    if (!this.completeSubset && named.length !== upload.parts.size) {
      throw new StoreError(
        'InvalidPart',
        `Complete of ${key} leaves uploaded parts out, which this store refuses.`,
        { status: 400 },
      );
    }
    return {
      chunks: named.flatMap(({ number }) => [...(upload.parts.get(number)?.chunks ?? [])]),
      etag: compositeEtag(named),
      described: upload.described,
      initiated: upload.initiated,
    };
  }

  drop(key: string, uploadId: string): void {
    if (this.#uploads.get(uploadId)?.key === key) this.#uploads.delete(uploadId);
  }

  #find(key: string, uploadId: string): Upload {
    const upload = this.#uploads.get(uploadId);
    if (upload?.key !== key) throw noSuchUpload(key, uploadId);
    return upload;
  }
}
