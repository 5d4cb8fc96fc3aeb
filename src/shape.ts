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

/** An object with these fields, and whatever else. */
export const fields =
  (shapes: Readonly<Record<string, Shape>>): Shape =>
  (value) =>
    isRecord(value) && Object.entries(shapes).every(([name, shape]) => shape(value[name]));

/** An object, by its names, and no list. */
export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const oneOf =
  (...words: readonly string[]): Shape =>
  (value) =>
    words.includes(value as string);

export const optional =
  (shape: Shape): Shape =>
  (value) =>
    value === undefined || shape(value);

export const nullable =
  (shape: Shape): Shape =>
  (value) =>
    value === null || shape(value);

/** Null, booleans, finite numbers, strings, and lists and plain objects of these. */
export function isJson(value: unknown): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (Array.isArray(value)) return value.every(isJson);
  if (typeof value !== 'object') return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return (prototype === Object.prototype || prototype === null) && Object.values(value).every(isJson);
}
