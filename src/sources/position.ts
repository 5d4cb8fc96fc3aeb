/**
 * Positions of sources in checkpoints. Each has its kind and version, so that one of another kind of source or version
 * of millrace is rejected by name. Its shape is checked before it is used: anyone who can write to the checkpoint
 * directory can write a position.
 */
import { MillraceError } from '../errors.js';
import type { Json } from '../flow/index.js';
import { isCount, isRecord, isString, type Shape } from '../shape.js';

/** The kind of a position, or of a part of one. */
export interface PositionKind {
  readonly kind: string;
  /** Raised when the shape changes. */
  readonly version: number;
  readonly shape: Shape;
}

/** The position with its kind and version. */
export function marked({ kind, version }: PositionKind, position: object): Json {
  return { kind, version, ...position };
}

/** Checks that `json` is a result of {@link marked} with this kind and version. Errors: `BadPosition`. */
export function checkMarked(id: string, { kind, version, shape }: PositionKind, json: Json): void {
  if (!isRecord(json) || json['kind'] !== kind) {
    const found = isRecord(json) && isString(json['kind']) ? `of kind '${json['kind']}'` : 'of no kind';
    throw badPosition(id, `is ${found} instead of '${kind}'`);
  }
  if (json['version'] !== version) {
    const found = isCount(json['version']) ? `of version ${json['version']}` : 'of no version';
    throw badPosition(id, `is ${found}, but this millrace reads version ${version} of kind '${kind}'`);
  }
  if (!shape(json)) throw badPosition(id, `has kind '${kind}', but not its fields`);
}

export const badPosition = (id: string, what: string): MillraceError =>
  new MillraceError(
    'BadPosition',
    `The checkpoint's position of source '${id}' ${what}. Give a changed source a new id, or start the job afresh.`,
  );
