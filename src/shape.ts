/**
 * Checks of the shape of foreign values: what was read from a store is looked at before it is believed.
 */

/** Whether a value has a shape. */
export type Shape = (value: unknown) => boolean;

export const isString = (value: unknown): value is string => typeof value === 'string';

/** A whole number from 0 that a double holds. */
export const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0;

/** A list of any length. */
export const listOf =
  (item: Shape): Shape =>
  (value) =>
    Array.isArray(value) && value.every(item);

/** A list of exactly these. */
export const tuple =
  (...items: readonly Shape[]): Shape =>
  (value) =>
    Array.isArray(value) && value.length === items.length && items.every((item, i) => item(value[i]));
