/** For objects and everything else whose content is not looked at. */
const base = 64;

/** The approximate size of a record that did not come as bytes: of its strings and bytes, one level deep. */
export function recordBytes(record: unknown): number {
  if (typeof record === 'string') return record.length;
  if (ArrayBuffer.isView(record)) return record.byteLength;
  if (typeof record !== 'object' || record === null) return 8;
  let bytes = base;
  for (const value of Object.values(record) as unknown[]) {
    if (typeof value === 'string') bytes += value.length;
    else if (ArrayBuffer.isView(value)) bytes += value.byteLength;
    else bytes += 8;
  }
  return bytes;
}
