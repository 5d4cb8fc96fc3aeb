import type { Committable, Json } from '../../flow/index.js';
import { fields, isCount, isString, optional, tuple, type Shape } from '../../shape.js';
import type { ObjectDescription, UploadedPart } from '../../store/objectStore.js';
import { descriptionOf } from '../../store/description.js';
import {
  isStoredParts,
  isUploadId,
  partsOfStored,
  storedParts,
  tailLength,
  type StoredParts,
  type Tail,
} from '../../store/multipart/index.js';
import type { TimeRange } from '../events.js';
import type { CommittableFields } from '../twoPhase/kind.js';
import { decodeTail, encodeTail, isTail, type StoredTail } from '../twoPhase/tails.js';
import { isDescription } from './objectOptions.js';

/** Rows that are not in the file yet. */
export interface SealedRows {
  /** The `RowSeal` that reads them, by name. */
  readonly name: string;
  readonly state: Tail;
  readonly rows: Tail;
}

/**
 * One file as a manifest carries it: enough for any process to publish it exactly as it was when it was frozen.
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
  /** The format turns these into the bytes after the tail when the file is published. */
  readonly seal?: SealedRows | undefined;
  /** The description of its object, until its upload exists, which then has it. */
  readonly object?: ObjectDescription | undefined;
  /** Bytes of the whole file, without those that `seal` adds. */
  readonly size: number;
  readonly records: number;
  /** The event times of its records, if they are known. */
  readonly times?: TimeRange | undefined;
  /** The checkpoint that froze it. */
  readonly checkpoint: number;
  /** It was rolled before that checkpoint. Otherwise it was open, and a restore seals it. */
  readonly closed?: boolean | undefined;
}

function journalsOf({ tail, seal }: FileCommittable): string[] {
  const tails = [tail, seal?.state, seal?.rows];
  return [...new Set(tails.flatMap((each) => each?.ranges.map(({ journal }) => journal) ?? []))];
}

/** Bytes of memory that publishing a file takes. Rows count twice: as stored and as sealed. */
export function memoryOf({ tail, seal }: FileCommittable): number {
  return tailLength(tail) + tailLength(seal?.state) + 2 * tailLength(seal?.rows);
}

const isTime: Shape = (value) => Number.isFinite(value);
const isBoolean: Shape = (value) => typeof value === 'boolean';

/** A file as encoded in a manifest: journals by their index in `objects`, inline bytes as base64. */
interface StoredFile {
  readonly uid: string;
  readonly store: string;
  readonly key: string;
  readonly uploadId?: string;
  readonly parts: StoredParts;
  readonly size: number;
  readonly records: number;
  readonly times?: readonly [from: number, to: number];
  readonly checkpoint: number;
  readonly closed?: boolean;
  readonly tail?: StoredTail;
  readonly seal?: { readonly name: string; readonly state: StoredTail; readonly rows: StoredTail };
  readonly object?: ObjectDescription;
  readonly objects?: readonly string[];
}

/** The codec of a file's fields in a manifest. */
export const fileFields = {
  shapes: {
    store: isString,
    key: isString,
    uploadId: optional(isUploadId),
    parts: isStoredParts,
    size: isCount,
    records: isCount,
    times: optional(tuple(isTime, isTime)),
    checkpoint: isCount,
    closed: optional(isBoolean),
    tail: optional(isTail),
    object: optional(isDescription),
    seal: optional(fields({ name: isString, state: isTail, rows: isTail })),
  },

  encode(file: FileCommittable): CommittableFields {
    const { uid, store, key, uploadId, parts, tail, seal, object, size, records, times, checkpoint, closed } =
      file;
    const objects = journalsOf(file);
    return {
      uid,
      store,
      key,
      ...(uploadId !== undefined && { uploadId }),
      parts: storedParts(parts),
      size,
      records,
      ...(times !== undefined && { times: [times.from, times.to] }),
      checkpoint,
      ...(closed === true && { closed }),
      ...(tail !== undefined && { tail: encodeTail(tail, objects) }),
      ...(seal !== undefined && {
        seal: {
          name: seal.name,
          state: encodeTail(seal.state, objects),
          rows: encodeTail(seal.rows, objects),
        },
      }),
      ...(object !== undefined && { object: object as unknown as Json }),
      ...(objects.length > 0 && { objects }),
    };
  },

  decode(stored: Committable, bad: (why: string) => Error): FileCommittable {
    const {
      uid,
      store,
      key,
      uploadId,
      parts,
      tail,
      seal,
      object,
      size,
      records,
      times,
      checkpoint,
      closed,
      objects,
    } = stored as unknown as StoredFile;
    return {
      uid,
      store,
      key,
      uploadId,
      parts: partsOfStored(parts),
      tail: tail && decodeTail(tail, objects ?? [], bad),
      ...(seal !== undefined && {
        seal: {
          name: seal.name,
          state: decodeTail(seal.state, objects ?? [], bad),
          rows: decodeTail(seal.rows, objects ?? [], bad),
        },
      }),
      ...(object !== undefined && { object: descriptionOf(object) }),
      size,
      records,
      ...(times !== undefined && { times: { from: times[0], to: times[1] } }),
      checkpoint,
      ...(closed === true && { closed }),
    };
  },
};
