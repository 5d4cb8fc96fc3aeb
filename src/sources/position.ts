/**
 * Positions of sources, as checkpoints hold them. Each carries its kind and version, so that one of another source or of
 * another millrace is refused by name. Its shape is checked before it is used: anyone who can write to the checkpoint
 * directory can write a position.
 */
import { MillraceError } from '../errors.js';
import type { Json } from '../flow/index.js';
import { isCount, isRecord, isString, type Shape } from '../shape.js';

/** What a position, or a part of one, is. */
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

/** Refuses what {@link marked} did not make of a position of this kind and version. Errors: `BadPosition`. */
export function checkMarked(id: string, { kind, version, shape }: PositionKind, json: Json): void {
  if (!isRecord(json) || json['kind'] !== kind) {
    const found = isRecord(json) && isString(json['kind']) ? `of kind '${json['kind']}'` : 'of no kind';
    throw badPosition(id, `is ${found}, and '${kind}' is needed`);
  }
  if (json['version'] !== version) {
    const found = isCount(json['version']) ? `of version ${json['version']}` : 'of no version';
    throw badPosition(id, `is ${found}, and this millrace reads version ${version} of kind '${kind}'`);
  }
  if (!shape(json)) throw badPosition(id, `has kind '${kind}' and not its fields`);
}

export const badPosition = (id: string, what: string): MillraceError =>
  new MillraceError(
    'BadPosition',
    `The checkpoint's position of source '${id}' ${what}. Give a changed source a new id, or start the job afresh.`,
  );
