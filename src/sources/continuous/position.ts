import type { Json } from '../../flow/index.js';
import { fields, isCount, isString, listOf, optional } from '../../shape.js';
import { badPosition, checkMarked, marked, type PositionKind } from '../position.js';
import type { ReadState } from './readVersions.js';
import { isEncodedVersions } from './seenVersions.js';

/** The part of a continuous discovery in a position. */
export interface ContinuousPosition {
  /** What is read of each URI. */
  readonly roots: readonly (ReadState & {
    /** The URI, to notice that the list was changed. */
    readonly uri: string;
  })[];
  /** Index of the URI of the object that is being read. */
  readonly reading: number;
}

const horizon = optional(Number.isSafeInteger);

const continuousKind: PositionKind = {
  kind: 'continuous',
  version: 1,
  before: { kind: 'listed', change: '`discover` was added' },
  shape: fields({
    roots: listOf(
      fields({
        uri: isString,
        horizon,
        round: optional(fields({ horizon, after: optional(isString) })),
        seen: isEncodedVersions,
      }),
    ),
    reading: isCount,
  }),
};

export const continuousPosition = (position: ContinuousPosition): Json => marked(continuousKind, position);

/**
 * Decodes a result of {@link continuousPosition}. `uris` are without user info. Errors: `BadPosition` (not a position of
 * this kind, or the URIs were changed).
 */
export function continuousPositionOf(id: string, json: Json, uris: readonly string[]): ContinuousPosition {
  checkMarked(id, continuousKind, json);
  const position = json as unknown as ContinuousPosition;
  const { roots, reading } = position;
  const changed = uris.findIndex((uri, index) => roots[index]?.uri !== uri);
  const index = changed < 0 && roots.length > uris.length ? uris.length : changed;
  if (index >= 0)
    throw badPosition(
      id,
      `belongs to ${roots[index]?.uri ?? 'fewer URIs'}, but the URI there is now ${uris[index] ?? '(none)'}`,
    );
  if (reading >= roots.length) throw badPosition(id, 'is in an object of no URI');
  return position;
}
