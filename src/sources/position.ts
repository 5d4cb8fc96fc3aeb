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
  /** Another kind that its place may have, and what the user has changed then. */
  readonly before?: { readonly kind: string; readonly change: string };
}

/** The position with its kind and version. */
export function marked({ kind, version }: PositionKind, position: object): Json {
  return { kind, version, ...position };
}

/**
 * Checks that `json` is a result of {@link marked} with this kind, in one of the versions that are read. Errors:
 * `BadPosition`.
 */
export function checkMarked(
  id: string,
  read: PositionKind | readonly [PositionKind, ...PositionKind[]],
  json: Json,
): void {
  const kinds = 'kind' in read ? ([read] as const) : read;
  const { kind, before } = kinds[0];
  if (!isRecord(json) || json['kind'] !== kind) {
    const other = isRecord(json) && isString(json['kind']) ? json['kind'] : undefined;
    const found = other === undefined ? 'of no kind' : `of kind '${other}'`;
    const why = before !== undefined && other === before.kind ? `: ${before.change}` : '';
    throw badPosition(id, `is ${found} instead of '${kind}'${why}`);
  }
  const found = kinds.find(({ version }) => version === json['version']);
  if (found === undefined) {
    const version = isCount(json['version']) ? `of version ${json['version']}` : 'of no version';
    const known = kinds.map((each) => each.version).join(', ');
    throw badPosition(
      id,
      `is ${version}, but this millrace reads version ${known.replace(/, (?=\d+$)/, ' and ')} of kind '${kind}'`,
    );
  }
  if (!found.shape(json)) throw badPosition(id, `has kind '${kind}', but not its fields`);
}

export const badPosition = (id: string, what: string): MillraceError =>
  new MillraceError(
    'BadPosition',
    `The checkpoint's position of source '${id}' ${what}. Give a changed source a new id, or start the job afresh.`,
  );
