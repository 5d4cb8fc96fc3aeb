/** For objects and everything else whose content is not looked at. */
const base = 64;
const plain = 8;
/** The maximum number of elements of a list that are measured, and of nested values among them. The rest counts as their average. */
const mostElements = 64;
const mostNested = 8;
const deepest = 4;
const largest = 2 ** 40;

/**
 * The approximate size of a record that did not come as bytes: of its strings and bytes, down to four levels. Of long lists, and
 * of many nested objects, the first ones are looked at, so it takes little time for a record of any size.
 */
export function recordBytes(record: unknown): number {
  return Math.min(largest, sizeOf(record, []));
}

/** @param within the objects around it */
function sizeOf(value: unknown, within: object[]): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return plain;
  if (ArrayBuffer.isView(value)) return value.byteLength;
  // A reference back is no content.
  if (within.includes(value)) return plain;
  if (within.length === deepest) return base;
  within.push(value);
  const bytes = base + contentSize(value, within);
  within.pop();
  return bytes;
}

function contentSize(value: object, within: object[]): number {
  if (Array.isArray(value)) return sizeOfFirst(value, value.length, mostElements, within);
  if (value instanceof Map)
    return (
      sizeOfFirst(value.keys(), value.size, mostElements, within) +
      sizeOfFirst(value.values(), value.size, mostElements, within)
    );
  if (value instanceof Set) return sizeOfFirst(value, value.size, mostElements, within);
  const values = Object.values(value);
  return sizeOfFirst(values, values.length, values.length, within);
}

/** Of `length` values; of nested ones, and beyond `most`, the average of those before. */
function sizeOfFirst(values: Iterable<unknown>, length: number, most: number, within: object[]): number {
  let bytes = 0;
  let seen = 0;
  let nested = 0;
  let nestedBytes = 0;
  for (const value of values) {
    if (seen === most) break;
    seen++;
    const size = nested === mostNested && isNested(value) ? nestedBytes / nested : sizeOf(value, within);
    bytes += size;
    if (nested === mostNested || !isNested(value)) continue;
    nested++;
    nestedBytes += size;
  }
  return seen === 0 ? 0 : Math.ceil((bytes * length) / seen);
}

const isNested = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !ArrayBuffer.isView(value);
