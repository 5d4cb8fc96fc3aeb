import { crc32 } from 'node:zlib';
import { MillraceError } from '../../errors.js';
import type { Committable, Json } from '../../flow/index.js';
import type { UploadedPart } from '../../store/objectStore.js';
import { maxParts } from '../../store/multipart/index.js';

/** Some bytes of a file's tail, in a journal object. */
export interface Range {
  /** The journal's name, below the job's checkpoint directory. */
  readonly journal: string;
  /** Where in the journal. Bytes. */
  readonly offset: number;
  readonly length: number;
  readonly sha256: string;
}

/** The end of a file that no part holds yet. */
export interface Tail {
  readonly ranges: readonly Range[];
  /** What follows the ranges, kept in the manifest itself. */
  readonly inline: Buffer | undefined;
}

/**
 * One file as a manifest carries it: enough to publish it exactly as it was when it was frozen, whoever does it.
 * `uploadId` is absent while all of the file is tail.
 */
export interface FileCommittable {
  readonly uid: string;
  /** The store, as its own `uri`, and the object's key in it. */
  readonly store: string;
  readonly key: string;
  readonly uploadId: string | undefined;
  /** Parts 1 to k, without gaps. */
  readonly parts: readonly UploadedPart[];
  readonly tail: Tail | undefined;
  /** Bytes of the whole file. */
  readonly size: number;
  readonly records: number;
  /** The checkpoint that froze it. */
  readonly checkpoint: number;
}

export function uriOf(file: Pick<FileCommittable, 'store' | 'key'>): string {
  return `${file.store.replace(/\/$/, '')}/${file.key}`;
}

export function tailLength(tail: Tail | undefined): number {
  if (tail === undefined) return 0;
  return tail.ranges.reduce((sum, range) => sum + range.length, tail.inline?.length ?? 0);
}

/** The names of the journals that a tail needs. */
export function journalsOf(tail: Tail | undefined): string[] {
  return tail === undefined ? [] : [...new Set(tail.ranges.map((range) => range.journal))];
}

/** As JSON: journals by their index in `objects`, parts as [etag, size], inline bytes as base64 with their CRC-32, ranges with their SHA-256. */
export function toCommittable(file: FileCommittable): Committable {
  const { uid, store, key, uploadId, parts, tail, size, records, checkpoint } = file;
  const objects = journalsOf(tail);
  return {
    uid,
    store,
    key,
    ...(uploadId !== undefined && { uploadId }),
    parts: parts.map((part) => [part.etag, part.size]),
    size,
    records,
    checkpoint,
    ...(tail !== undefined && {
      tail: {
        ranges: tail.ranges.map(({ journal, offset, length, sha256 }) => [
          objects.indexOf(journal),
          offset,
          length,
          sha256,
        ]),
        ...(tail.inline !== undefined && { inline: tail.inline.toString('base64'), crc: crc32(tail.inline) }),
      },
    }),
    ...(objects.length > 0 && { objects }),
  };
}

/** Above what the largest part of the largest file has. Bytes. */
const largestTail = 4 * 2 ** 30 - 1;

/** Reads what {@link toCommittable} wrote. Throws `InvalidCommittable`. */
export function fromCommittable(value: Committable): FileCommittable {
  const bad = (what: string): never => {
    throw new MillraceError(
      'InvalidCommittable',
      `The manifest's committable ${value.uid} is not one of a file sink of this version: ${what}. Run the version of millrace that wrote it, or one that reads both.`,
    );
  };
  const text = (name: string): string => {
    const field = value[name];
    return typeof field === 'string' ? field : bad(`${name} is no text`);
  };
  const count = (field: Json | undefined, name: string): number =>
    typeof field === 'number' && Number.isSafeInteger(field) && field >= 0
      ? field
      : bad(`${name} is no count`);
  const rows = (field: Json | undefined, name: string): readonly (readonly Json[])[] =>
    Array.isArray(field) && field.every((row) => Array.isArray(row)) ? field : bad(`${name} is no list`);

  const uploadId = value['uploadId'] === undefined ? undefined : text('uploadId');
  if (uploadId !== undefined && !/^[^\u0000-\u0020]{1,2048}$/.test(uploadId)) bad('uploadId is no id');
  const parts = rows(value['parts'], 'parts');
  if (parts.length > maxParts) bad('it has too many parts');
  const objects = value.objects ?? [];
  const tail = value['tail'] as
    { readonly ranges?: Json; readonly inline?: Json; readonly crc?: Json } | null | undefined;
  if (tail === null) return bad('its tail is null');
  let inline: Buffer | undefined;
  if (typeof tail?.inline === 'string') {
    inline = Buffer.from(tail.inline, 'base64');
    if (crc32(inline) !== tail.crc) bad('the checksum of its inline tail is wrong');
  }
  const file: FileCommittable = {
    uid: value.uid,
    store: text('store'),
    key: text('key'),
    uploadId,
    parts: parts.map(([etag, size], i) => ({
      number: i + 1,
      etag: typeof etag === 'string' ? etag : bad('a part has no etag'),
      size: count(size, 'a part’s size'),
    })),
    tail: tail && {
      inline,
      ranges: rows(tail.ranges, 'tail').map(([index, offset, length, sha256]) => ({
        journal: objects[count(index, 'a journal')] ?? bad('a journal is not among its objects'),
        offset: count(offset, 'an offset'),
        length: count(length, 'a length'),
        sha256: typeof sha256 === 'string' ? sha256 : bad('a checksum is no text'),
      })),
    },
    size: count(value['size'], 'size'),
    records: count(value['records'], 'records'),
    checkpoint: count(value['checkpoint'], 'checkpoint'),
  };
  // It is read into memory.
  if (tailLength(file.tail) > largestTail) bad('its tail is longer than a part');
  return file;
}
