/**
 * Where a `files` source is: what a checkpoint holds of it, and all it needs to go on. What is read to its end is its
 * discovery's to remember; here is the object that is being read.
 */
import { MillraceError } from '../errors.js';
import { ForeignName, type Json } from '../flow/index.js';
import type { Codec, MemberStart } from '../formats/decompressor.js';
import { codecNamed, type CodecName } from '../formats/codec.js';
import type { ObjectDecoder, Reader } from '../formats/reader.js';
import { fields, isCount, isString, optional } from '../shape.js';
import { badPosition, checkMarked, marked, type PositionKind } from './position.js';

export interface FilesPosition {
  /** What the source's discovery holds: where it goes on after `object`. Of a kind of its own. */
  readonly discovery: Json;
  /** The object that is being read. */
  readonly object?: ObjectPosition;
  /** Malformed records skipped so far, over the job's life. */
  readonly skipped: number;
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
  /** In a compressed object: its codec, and the member from which decompression has to start to get there. */
  readonly compressed?: MemberStart & { readonly codec: string };
}

/** Of a decoder's state as JSON: every manifest has it. */
const maxStateBytes = 64 * 1024;

const hasObjectFields = fields({
  key: isString,
  // One without has an error of its own: a name that is not pinned.
  etag: optional(isString),
  offset: isCount,
  line: isCount,
  format: isString,
  compressed: optional(fields({ codec: isString, at: isCount, offset: isCount })),
});

function isObjectPosition(value: unknown): boolean {
  if (!hasObjectFields(value)) return false;
  const { offset, compressed } = value as ObjectPosition;
  return compressed === undefined || compressed.offset <= offset;
}

const filesKind: PositionKind = {
  kind: 'files',
  version: 1,
  shape: fields({
    discovery: (value) => value !== undefined,
    object: optional(isObjectPosition),
    skipped: isCount,
  }),
};

/** The position as a manifest holds it. */
export const encodePosition = (position: FilesPosition): Json => marked(filesKind, position);

/**
 * Reads what {@link encodePosition} made. Whether the object is one of this source's, its discovery checks.
 * Errors: `BadPosition` (not a position of a files source), `ForeignName` (an object without a version).
 */
export function decodePosition(id: string, json: Json): FilesPosition {
  checkMarked(id, filesKind, json);
  const position = json as unknown as FilesPosition;
  const { object } = position;
  // `*` would hold for whatever is there by now.
  if (object !== undefined && (((object.etag as string | undefined) ?? '') === '' || object.etag === '*')) {
    throw new ForeignName(
      `The checkpoint's position of source '${id}'`,
      object.key,
      'not tied to the version that was read',
      'Positions of this source always have an ETag.',
    );
  }
  return position;
}

/**
 * What a checkpoint holds of a decoder's state: a copy, because the decoder goes on. Errors: `BadDecoderState` (not JSON, too
 * large, or not what a restored run would accept).
 */
export function stateOf<T>(
  reader: Reader<T>,
  decoder: ObjectDecoder<T>,
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
      `takes ${bytes} bytes, and a checkpoint holds ${maxStateBytes}: convert the object, or make a format that remembers less`,
    );
  const state = JSON.parse(json) as Json;
  if (reader.isState?.(state) !== true) throw bad('is refused by its own isState: correct the format');
  return { state };
}

/** Checks that `reader` can go on in an object that was begun. Errors: `BadPosition`. */
export function checkFormat(
  id: string,
  { key, format, state, offset }: ObjectPosition,
  reader: Reader<unknown>,
): void {
  // Nothing of it is read: it may be read in any way.
  if (offset === 0) return;
  if (format !== reader.name)
    throw badPosition(
      id,
      `is in the middle of ${key}, which was read with format '${format}', and not '${reader.name}' as it is set now`,
    );
  const fits =
    reader.isState === undefined ? state === undefined : state !== undefined && reader.isState(state);
  if (!fits) throw badPosition(id, `has no state of format '${format}' for ${key}`);
}

/** The codec of an object that was read up to `position`. Errors: `BadPosition` (another one is set now, or it is unknown). */
export function codecAt(
  id: string,
  { key, compressed }: ObjectPosition,
  set: CodecName | 'auto',
): Codec | undefined {
  const name = compressed?.codec ?? 'none';
  if (set !== 'auto' && set !== name)
    throw badPosition(
      id,
      `is in the middle of ${key}, which was read with compression '${name}', and not '${set}' as it is set now`,
    );
  const codec = codecNamed(name);
  if (codec === undefined && name !== 'none')
    throw badPosition(
      id,
      `is in the middle of ${key}, which was read with compression '${name}', and there is no such codec`,
    );
  return codec;
}
