import { MillraceError, type MillraceErrorOptions, sharedByCopies } from '../errors.js';

/** Identifies a state in errors. */
export interface StatePlace {
  readonly operator: string;
  readonly state: string;
}

/**
 * The codes of {@link StateError}. None is retryable.
 *
 * - `UnsupportedKey`: a key has no canonical encoding (a function, a symbol, a class instance, `undefined`).
 * - `UnsupportedValue`: the serializer of a state cannot store a value.
 * - `InvalidState`: the declaration of a state is invalid.
 * - `StateOutsideTurn`: a handle was used after `onRecord` had returned.
 * - `TooManyKeys`: a state has as many keys as V8's `Map` can hold, 16,777,216.
 * - `KeyOutsideRange`: a record's key is in a key group that another job has the state of.
 * - `SegmentCorrupt`: the bytes of a segment are not those that were written.
 * - `SegmentMissing`: a segment that a checkpoint refers to is gone.
 * - `SegmentTooNew`: a segment was written by a later version of millrace.
 * - `StateNotFound`: there is no such job, operator or state to read from outside.
 * - `StateOvertaken`: the job has deleted what a reader from outside reads.
 * - `FolderNotEmpty`: the folder that state is to be exported or imported to has objects.
 * - `ExportIncomplete`: an export was interrupted, or is still being written.
 * - `EntryMissing`: an export lacks an object.
 * - `EntryForeign`: the folder of an export has an object that is not part of it.
 * - `EntryCorrupt`: an exported object is not what was written.
 * - `SerializerMissing`: a state can only be read with its declaration.
 * - `StateSchemaMismatch`: the declared state does not match the stored one.
 */
export type StateErrorCode =
  | 'UnsupportedKey'
  | 'UnsupportedValue'
  | 'InvalidState'
  | 'StateOutsideTurn'
  | 'TooManyKeys'
  | 'KeyOutsideRange'
  | 'SegmentCorrupt'
  | 'SegmentMissing'
  | 'SegmentTooNew'
  | 'StateNotFound'
  | 'StateOvertaken'
  | 'SerializerMissing'
  | 'FolderNotEmpty'
  | 'ExportIncomplete'
  | 'EntryMissing'
  | 'EntryForeign'
  | 'EntryCorrupt'
  | 'StateSchemaMismatch';

/** An error of keyed state. */
export class StateError extends MillraceError {
  static {
    sharedByCopies(this, 'StateError');
  }

  override readonly name = 'StateError';
  declare readonly code: StateErrorCode;

  constructor(code: StateErrorCode, message: string, options: Pick<MillraceErrorOptions, 'cause'> = {}) {
    super(code, message, options);
  }
}
