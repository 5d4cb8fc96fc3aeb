import { MillraceError, type MillraceErrorOptions, sharedByCopies } from '../errors.js';

/**
 * What can go wrong with keyed state. None of it gets better by trying again.
 *
 * - `UnsupportedKey`: a key has no canonical encoding (a function, a symbol, a class instance, `undefined`).
 * - `UnsupportedValue`: a value cannot be stored by its state's serializer.
 * - `InvalidState`: a state is declared in a way that cannot work.
 * - `StateOutsideTurn`: a handle was used after `onRecord` had returned.
 * - `TooManyKeys`: a state has as many keys as V8's `Map` can hold, 16,777,216.
 * - `SegmentCorrupt`: the bytes of a segment are not what was written.
 * - `SegmentMissing`: a segment that a checkpoint refers to is gone.
 * - `SegmentTooNew`: a segment was written by a later version of millrace.
 * - `StateSchemaMismatch`: the state that is stored and the state that is declared do not fit.
 */
export type StateErrorCode =
  | 'UnsupportedKey'
  | 'UnsupportedValue'
  | 'InvalidState'
  | 'StateOutsideTurn'
  | 'TooManyKeys'
  | 'SegmentCorrupt'
  | 'SegmentMissing'
  | 'SegmentTooNew'
  | 'StateSchemaMismatch';

/** The error of everything in this room; the set of codes is closed. */
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
