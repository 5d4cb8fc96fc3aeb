/** For objects and everything else whose content is not looked at. */
const base = 64;
const plain = 8;
/** How many values of a record are looked at. What it has beyond them is estimated from those. */
const most = 256;

/**
 * The approximate size of a record that did not come as bytes: of its strings and bytes, at any depth. It takes at most as long as
 * a few hundred values: of a longer list, or an object with more, it looks at the first ones.
 */
export function recordBytes(record: unknown): number {
  return new Estimate().of(record);
}

class Estimate {
  #left = most;

  of(value: unknown): number {
    this.#left--;
    if (typeof value === 'string') return value.length;
    if (ArrayBuffer.isView(value)) return value.byteLength;
    if (typeof value !== 'object' || value === null) return plain;
    const values: readonly unknown[] = Array.isArray(value) ? value : contentOf(value);
    let bytes = 0;
    let seen = 0;
    for (; seen < values.length && this.#left > 0; seen++) bytes += this.of(values[seen]);
    const rest = values.length - seen;
    return base + bytes + Math.ceil(rest * (seen === 0 ? plain : bytes / seen));
  }
}

function contentOf(value: object): unknown[] {
  if (value instanceof Map) return [...value].flat();
  return value instanceof Set ? [...value] : Object.values(value);
}
