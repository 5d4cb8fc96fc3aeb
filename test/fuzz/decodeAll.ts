import type { Reader } from 'millrace/operators';
import { atStart } from '../formats/atStart.js';

/** Decodes whole records, as the reader of a source does. */
export function decodeAll<T>(format: Reader<T>, input: Buffer): void {
  const whole = Buffer.concat([input, Buffer.from('\n')]);
  const decoder = format.decoder(atStart);
  for (let at = 0; at < whole.length;) {
    const end = decoder.last(whole, at, Math.min(whole.length, at + 4096));
    const next = end < 0 ? decoder.first(whole, at, whole.length) : end;
    const to = next < 0 ? whole.length : next;
    decoder.decode(
      whole.subarray(at, to),
      at,
      1,
      () => undefined,
      () => undefined,
    );
    at = to;
  }
}
