import type { Json } from '../flow/index.js';
import { fields, isCount, isString, optional } from '../shape.js';
import { badPosition, checkMarked, marked, type PositionKind } from './position.js';

/**
 * The part of `listed` in a position. Its size does not depend on the number of objects, because they are read in the
 * order of their listing: everything up to `after` is read, or being read.
 */
export interface ListedPosition {
  /** Index of the URI that is being read; the number of URIs when everything is read. */
  readonly root: number;
  /** That URI, to notice that the list was changed. */
  readonly uri?: string;
  /** The key of this root after which the listing continues. */
  readonly after?: string;
  /** When everything is read: the last key that was read of the last URI; '' if none was. */
  readonly last?: string;
}

const listedKind: PositionKind = {
  kind: 'listed',
  version: 1,
  before: { kind: 'continuous', change: '`discover` was removed' },
  shape: fields({
    root: isCount,
    uri: optional(isString),
    after: optional(isString),
    last: optional(isString),
  }),
};

export const listedPosition = (position: ListedPosition): Json => marked(listedKind, position);

/**
 * Decodes a result of {@link listedPosition}. `uris` are without user info. Errors: `BadPosition` (not a position of
 * this kind, or the URIs were changed).
 */
export function listedPositionOf(id: string, json: Json, uris: readonly string[]): ListedPosition {
  checkMarked(id, listedKind, json);
  const position = json as unknown as ListedPosition;
  const { root, uri, last } = position;
  if (uri !== uris[root] || root > uris.length)
    throw badPosition(
      id,
      `belongs to ${uri ?? 'the end of its input'}, but the URI there is now ${uris[root] ?? '(none)'}`,
    );
  if ((last !== undefined) !== (root === uris.length))
    throw badPosition(id, 'is both before and at the end of its input');
  return position;
}
