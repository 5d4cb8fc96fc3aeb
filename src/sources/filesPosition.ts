/**
 * The position of a `files` source: everything that a checkpoint keeps of it and that it needs to continue. Its
 * discovery tracks the objects that were opened; the position itself has those that are being read.
 *
 * Version 1 has at most one object, the one that was opened last. Version 2 has any number, each with the index of its
 * URI. Version 3 has splits of objects (`splits.ts`), too: any number of an object, and at most one rest, the last of all. Each version is
 * written only where the earlier ones do not suffice, so that a source that does not use what is new can be restored by an
 * earlier millrace.
 */
import { MillraceError } from '../errors.js';
import { ForeignName, type Json } from '../flow/index.js';
import type { Codec, MemberStart } from '../formats/decompressor.js';
import { codecNamed, type CodecName } from '../formats/codec.js';
import type { GroupReader } from '../formats/groupReader.js';
import type { ObjectDecoder, Reader } from '../formats/reader.js';
import type { InputAmount } from '../store/observe/sourceProgress.js';
import { fields, isCount, isString, listOf, optional, type Shape } from '../shape.js';
import { badPosition, checkMarked, marked, type PositionKind } from './position.js';
import { splittingOf } from './splits.js';

export interface FilesPosition {
  /** The discovery's part: where to continue after `objects`. It has its own kind. */
  readonly discovery: Json;
  /** The objects that are being read, in the order in which they were opened. */
  readonly objects: readonly OpenPosition[];
  /** Malformed records skipped so far, over the job's life. */
  readonly skipped: number;
  /** What was read to its end. */
  readonly read: InputAmount;
}

export interface ObjectPosition {
  readonly key: string;
  readonly etag: string;
  /** Decompressed bytes read. */
  readonly offset: number;
  /** Lines read. */
  readonly line: number;
  /** The reader's name. */
  readonly format: string;
  /** The decoder's state. */
  readonly state?: Json;
  /** The range of a split; without an end, it is the rest of its object, and nothing of it is read. */
  readonly split?: { readonly begin: number; readonly end?: number };
  /** In a compressed object: its codec, and the member where decompression must start to reach `offset`. */
  readonly compressed?: MemberStart & { readonly codec: string };
}

/** The position in an object that is being read. */
export interface OpenPosition extends ObjectPosition {
  /** Index of the URI that covers it; absent if it is the only one, and was opened last. */
  readonly root?: number;
}

/** The maximum number of objects and splits that a source reads at the same time, so that positions stay small. */
export const mostObjects = 256;

/** Limits a decoder's state as JSON, because every manifest contains it. */
const maxStateBytes = 64 * 1024;

const objectFields = {
  key: isString,
  // A missing one is a separate error: a name that is not pinned.
  etag: optional(isString),
  offset: isCount,
  line: isCount,
  format: isString,
  compressed: optional(fields({ codec: isString, at: isCount, offset: isCount })),
};
const hasObjectFields = fields(objectFields);
const hasOpenFields = fields({ ...objectFields, root: isCount });
const hasSplit = fields({ split: optional(fields({ begin: isCount, end: optional(isCount) })) });

const startsBefore = ({ offset, compressed }: ObjectPosition): boolean =>
  compressed === undefined || compressed.offset <= offset;
const isObjectPosition: Shape = (value) => hasObjectFields(value) && startsBefore(value as ObjectPosition);
const isOpenPosition: Shape = (value) => hasOpenFields(value) && startsBefore(value as ObjectPosition);
const isSplitPosition: Shape = (value) => {
  if (!isOpenPosition(value) || !hasSplit(value)) return false;
  const { offset, compressed, split } = value as ObjectPosition;
  if (split === undefined) return true;
  const { begin, end = Infinity } = split;
  const last = split.end ?? begin;
  return compressed === undefined && begin < end && begin <= offset && offset <= last;
};

const common = {
  discovery: (value: unknown): boolean => value !== undefined,
  skipped: isCount,
  read: fields({ objects: isCount, bytes: isCount }),
};
const kind = 'files';
const single: PositionKind = {
  kind,
  version: 1,
  shape: fields({ ...common, object: optional(isObjectPosition) }),
};
const several: PositionKind = {
  kind,
  version: 2,
  shape: fields({ ...common, objects: listOf(isOpenPosition) }),
};
const splits: PositionKind = {
  kind,
  version: 3,
  shape: fields({ ...common, objects: listOf(isSplitPosition) }),
};

export function encodePosition({ discovery, objects, ...counts }: FilesPosition): Json {
  const [object] = objects;
  if (objects.some(({ split }) => split !== undefined))
    return marked(splits, { discovery, objects, ...counts });
  return objects.length > 1 || object?.root !== undefined
    ? marked(several, { discovery, objects, ...counts })
    : marked(single, { discovery, ...(object === undefined ? {} : { object }), ...counts });
}

/**
 * Decodes a result of {@link encodePosition}. The discovery checks whether the objects belong to this source.
 * Errors: `BadPosition` (not a position of a files source), `ForeignName` (an object without a version).
 */
export function decodePosition(id: string, json: Json): FilesPosition {
  checkMarked(id, [single, several, splits], json);
  const { version, object, objects, ...rest } = json as unknown as Omit<FilesPosition, 'objects'> & {
    readonly version: number;
    readonly object?: ObjectPosition;
    readonly objects: readonly OpenPosition[];
  };
  const one = object === undefined ? [] : [object];
  const open: readonly OpenPosition[] = version === single.version ? one : objects;
  if (version !== splits.version && open.some(({ split }) => split !== undefined))
    throw badPosition(id, `is of version ${version}, but in a split`);
  for (const { key, etag } of open) checkPinned(id, key, etag);
  checkOnce(id, open);
  return { ...rest, objects: open };
}

/** Errors: `BadPosition` (too many objects, or a byte in two of them). */
function checkOnce(id: string, open: readonly OpenPosition[]): void {
  const begun = open.filter((each, at) => !(isRest(each) && at === open.length - 1));
  if (begun.some(isRest)) throw badPosition(id, 'continues after the rest of an object');
  if (begun.length > mostObjects)
    throw badPosition(id, `is in ${begun.length} objects, and the limit is ${mostObjects}`);
  const ends = new Map<string, number>();
  const byBegin = [...open].sort((a, b) => (a.split?.begin ?? 0) - (b.split?.begin ?? 0));
  for (const each of byBegin) {
    const { begin = 0, end = Infinity } = each.split ?? {};
    const version = versionOf(each);
    if (begin < (ends.get(version) ?? 0)) throw badPosition(id, 'is in one object twice');
    ends.set(version, end);
  }
}

/** The same for all splits of an object. */
export const versionOf = ({ root, key, etag }: Pick<OpenPosition, 'root' | 'key' | 'etag'>): string =>
  JSON.stringify([root, key, etag]);

/** Whether it is the part of an object that is not cut into splits yet. */
export const isRest = ({ split }: ObjectPosition): boolean => split !== undefined && split.end === undefined;

/** Whether nothing of its object was read, as far as the position shows. */
export const isUnread = ({ offset, split }: ObjectPosition): boolean => offset === 0 && split === undefined;

/** Errors: `ForeignName`. */
function checkPinned(id: string, key: string, etag: string | undefined): void {
  // `*` would match any version.
  if (etag !== undefined && etag !== '' && etag !== '*') return;
  throw new ForeignName(
    `The checkpoint's position of source '${id}'`,
    key,
    'not tied to the version that was read',
    'Positions of this source always have an ETag.',
  );
}

/**
 * A copy of a decoder's state for a checkpoint. Errors: `BadDecoderState` (not JSON, too large, or a restored run would
 * not accept it).
 */
export function stateOf<T>(
  reader: Reader<T> | GroupReader<T>,
  decoder: Pick<ObjectDecoder<T>, 'state'>,
  object: string,
): { readonly state?: Json } {
  if (decoder.state === undefined) return {};
  const bad = (what: string): MillraceError =>
    new MillraceError(
      'BadDecoderState',
      `The state that the decoder of format '${reader.name}' has in ${object} ${what}.`,
    );
  const json = JSON.stringify(decoder.state()) as string | undefined;
  if (json === undefined) throw bad('is not JSON: correct the format');
  const bytes = Buffer.byteLength(json);
  if (bytes > maxStateBytes)
    throw bad(
      `takes ${bytes} bytes, and the limit is ${maxStateBytes}: convert the object, or use a format with less state`,
    );
  const state = JSON.parse(json) as Json;
  if (reader.isState?.(state) !== true) throw bad('is rejected by its own isState: correct the format');
  return { state };
}

/** Checks that `reader` can continue in a partly read object, of that URI. Errors: `BadPosition`. */
export function checkFormat(
  id: string,
  uri: string,
  position: ObjectPosition,
  reader: Reader<unknown> | GroupReader<unknown>,
): void {
  // Nothing is read yet, so any format will do.
  if (isUnread(position)) return;
  const { format, state, split } = position;
  if (format !== reader.name)
    throw badPosition(
      id,
      `is in the middle of ${uri}, which was read with format '${format}'; the format is now '${reader.name}'`,
    );
  if (split !== undefined && splittingOf(reader) === undefined)
    throw badPosition(id, `is in a split of ${uri}, but format '${format}' has no splitting any more`);
  const fits =
    reader.isState === undefined ? state === undefined : state !== undefined && reader.isState(state);
  if (!fits) throw badPosition(id, `has no state of format '${format}' for ${uri}`);
}

/** The codec of a partly read object, of that URI. Errors: `BadPosition` (another one is set now, or it is unknown). */
export function codecAt(
  id: string,
  uri: string,
  { compressed }: ObjectPosition,
  set: CodecName | 'auto',
): Codec | undefined {
  const name = compressed?.codec ?? 'none';
  if (set !== 'auto' && set !== name)
    throw badPosition(
      id,
      `is in the middle of ${uri}, which was read with compression '${name}'; it is now '${set}'`,
    );
  const codec = codecNamed(name);
  if (codec === undefined && name !== 'none')
    throw badPosition(
      id,
      `is in the middle of ${uri}, which was read with compression '${name}', and there is no such codec`,
    );
  return codec;
}
