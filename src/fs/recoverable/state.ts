/**
 * Resumables and committables as strings: `millrace-resumable <version> <CRC-32 of the rest, 8 hex digits> <JSON>`, and
 * `millrace-committable …` alike. Both are printable ASCII without line breaks: they fit into a column, a log record or JSON.
 *
 * The form is public: every version reads what earlier ones wrote. The version changes when an earlier reader would
 * misunderstand; names that a reader does not know, it ignores.
 */
import { crc32 } from 'node:zlib';
import { ForeignName } from '../../flow/index.js';
import { isDeeper } from '../../formats/depth.js';
import { hideUserInfo } from '../../path/index.js';
import { isOrdinary } from '../../sinks/twoPhase/places.js';
import { fields, isCount, isRecord, isString, optional } from '../../shape.js';
import {
  isStoredParts,
  isUploadId,
  maxObject,
  partsOfStored,
  storedParts,
  tailLength,
  type StoredParts,
  type Tail,
} from '../../store/multipart/index.js';
import type { UploadedPart } from '../../store/objectStore.js';
import { InvalidRecoverable } from './errors.js';

export type StateKind = 'resumable' | 'committable';

/** A file as a string carries it: complete as its parts, followed by the tail. */
export interface FileState {
  readonly kind: StateKind;
  /** The store, as its own `uri`, and the object's key in it. */
  readonly store: string;
  readonly key: string;
  readonly uploadId: string;
  /** In the metadata of the upload. Unique to the file. */
  readonly putId: string;
  /** Parts 1 to k, without gaps. */
  readonly parts: readonly UploadedPart[];
  /** Its journal, if there is one, is a key in the store of tails. */
  readonly tail: Tail | undefined;
  /** Bytes, tail included. */
  readonly size: number;
}

/** Where a writer's files and tails are: nothing outside is touched. */
export interface Bounds {
  /** Of the files: the store's own `uri`, and a prefix of keys, empty or with a slash at its end. */
  readonly store: string;
  readonly prefix: string;
  /** A prefix of keys, with a slash at its end. */
  readonly tails: string;
}

interface Stored {
  readonly store: string;
  readonly key: string;
  readonly uploadId: string;
  readonly putId: string;
  readonly parts: StoredParts;
  readonly size: number;
  readonly tail?: StoredTail;
}

interface StoredTail {
  /** The key of the object that holds it, or its bytes in base64. */
  readonly object?: string;
  readonly inline?: string;
  /** Bytes. */
  readonly length: number;
  /** Of an object. */
  readonly sha256?: string;
}

const version = 1;

/** Characters, far beyond 10,000 parts. */
const longest = 4 * 2 ** 20;

const isTail = fields({
  object: optional(isString),
  inline: optional(isString),
  length: isCount,
  sha256: optional(isString),
});

const isStored = fields({
  store: isString,
  key: isString,
  uploadId: isUploadId,
  putId: (value) => isString(value) && /^[0-9a-f-]{36}$/.test(value),
  parts: isStoredParts,
  size: isCount,
  tail: optional(isTail),
});

/** The name of a file's tails begins with this. */
export function tailsOf(tails: string, putId: string): string {
  return `${tails}${putId}-`;
}

export function encodeState({ kind, store, key, uploadId, putId, parts, size, tail }: FileState): string {
  const stored: Stored = {
    store,
    key,
    uploadId,
    putId,
    parts: storedParts(parts),
    size,
    ...(tail !== undefined && { tail: storedTail(tail) }),
  };
  const json = JSON.stringify(stored).replace(/[^ -~]/g, escaped);
  return `millrace-${kind} ${version} ${checksum(json)} ${json}`;
}

/** Errors: `InvalidRecoverable`, `ForeignName`. */
export function decodeState(text: unknown, kinds: readonly StateKind[], bounds: Bounds): FileState {
  const what = `The ${kinds.join(' or ')}`;
  const bad = (why: string, advice?: string): InvalidRecoverable => new InvalidRecoverable(what, why, advice);
  if (!isString(text)) throw bad('it is not a string');
  if (text.length > longest) throw bad(`it has more than ${longest} characters`);
  const [, name = '', found = '', sum, json = ''] =
    /^millrace-(resumable|committable) ([1-9]\d{0,8}) ([0-9a-f]{8}) (.*)$/.exec(text) ?? [];
  if (name === '') throw bad('it does not begin as one does');
  const kind = name as StateKind;
  if (!kinds.includes(kind))
    throw bad(`it is a ${kind}`, kind === 'resumable' ? 'Pass it to recover first.' : 'Pass a resumable.');
  if (Number(found) > version)
    throw bad(`its version ${found} is newer than this millrace`, 'Use the version that wrote it.');
  if (checksum(json) !== sum) throw bad('its checksum does not match');
  const stored = parsed(json);
  if (!isRecord(stored) || !isStored(stored)) throw bad('its content is not that of a file');
  return checked(stored as unknown as Stored, kind, bounds, bad);
}

function parsed(json: string): unknown {
  if (isDeeper(json, 16)) return undefined;
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return undefined;
  }
}

function checked(
  stored: Stored,
  kind: StateKind,
  bounds: Bounds,
  bad: (why: string) => InvalidRecoverable,
): FileState {
  const { store, key, uploadId, putId, size } = stored;
  const parts = partsOfStored(stored.parts);
  const tail = stored.tail === undefined ? undefined : tailOf(stored.tail, bad);
  const sum = parts.reduce((bytes, part) => bytes + part.size, tailLength(tail));
  if (sum !== size || size > maxObject) throw bad('its sizes contradict each other');
  const name = key.slice(bounds.prefix.length);
  if (store !== bounds.store || !key.startsWith(bounds.prefix) || !isName(name))
    throw outside(kind, `${store}/${key}`, 'outside of the folder of this writer');
  const own = tailsOf(bounds.tails, putId);
  for (const { journal } of tail?.ranges ?? []) {
    if (!journal.startsWith(own) || !/^\d+$/.test(journal.slice(own.length)))
      throw outside(kind, journal, 'not a tail of this file');
  }
  return { kind, store, key, uploadId, putId, parts, tail, size };
}

function tailOf(stored: StoredTail, bad: (why: string) => InvalidRecoverable): Tail {
  const { object, inline, length, sha256 } = stored;
  if (object !== undefined && inline === undefined && sha256 !== undefined && length > 0)
    return { ranges: [{ journal: object, offset: 0, length, sha256 }], inline: undefined };
  const bytes = Buffer.from(inline ?? '', 'base64');
  if (object !== undefined || bytes.length !== length || length === 0)
    throw bad('its tail is not as it was written');
  return { ranges: [], inline: bytes };
}

function storedTail({ ranges: [range], inline }: Tail): StoredTail {
  if (range !== undefined) return { object: range.journal, length: range.length, sha256: range.sha256 };
  const bytes = inline ?? Buffer.alloc(0);
  return { inline: bytes.toString('base64'), length: bytes.length };
}

function outside(kind: StateKind, name: string, why: string): ForeignName {
  const advice = 'Open a writer of the folder that the file is in, with the same folder of tails.';
  return new ForeignName(`The ${kind}`, hideUserInfo(name), why, advice);
}

/** Whether it can be the name of a file below a folder. */
export function isName(name: string): boolean {
  return name !== '' && !name.endsWith('/') && isOrdinary(name);
}

function checksum(json: string): string {
  return crc32(json).toString(16).padStart(8, '0');
}

/** A UTF-16 unit as JSON writes it. */
function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
