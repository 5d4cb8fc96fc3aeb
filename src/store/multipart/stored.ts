/** How uploads, parts and tails are stored in checkpoints, as JSON. */
import { isCount, isString, listOf, tuple, type Shape } from '../../shape.js';
import type { UploadedPart } from '../objectStore.js';
import { maxParts } from './partSizes.js';

/** The parts 1 to k of an upload. */
export type StoredParts = readonly (readonly [etag: string, size: number])[];

const lengthUpTo =
  (most: number, shape: Shape): Shape =>
  (value) =>
    shape(value) && (value as { readonly length: number }).length <= most;

export const isUploadId: Shape = (value) => isString(value) && /^[^\u0000-\u0020]{1,2048}$/.test(value);

export const isStoredParts: Shape = lengthUpTo(maxParts, listOf(tuple(isString, isCount)));

export function storedParts(parts: readonly UploadedPart[]): StoredParts {
  return parts.map(({ etag, size }) => [etag, size]);
}

export function partsOfStored(parts: StoredParts): readonly UploadedPart[] {
  return parts.map(([etag, size], i) => ({ number: i + 1, etag, size }));
}
