/**
 * A value with the time of its last access that counted, of a state with a TTL. Only the time is kept, so that another
 * TTL applies to what is there already. Segments hold it as it is: whether a value has a time is up to each cell, so a
 * state may have a TTL in one run and none in the next.
 */
export class Timed<V = unknown> {
  constructor(
    /** Milliseconds since the epoch. `-Infinity` for what was written before the first watermark. */
    readonly time: number,
    readonly value: V,
  ) {}

  /** The form in which MessagePack writes it. */
  get parts(): readonly [time: number, value: V] {
    return [this.time, this.value];
  }

  /** The inverse of {@link parts}, for foreign data. Throws `RangeError`. */
  static from(parts: unknown): Timed {
    if (!Array.isArray(parts) || parts.length !== 2) throw new RangeError('a time and a value were expected');
    const [time, value] = parts as readonly unknown[];
    if (typeof time !== 'number' || Number.isNaN(time)) throw new RangeError('a time was expected');
    if (value instanceof Timed) throw new RangeError('a value has one time');
    return new Timed(time, value);
  }
}
