import type { Json } from '../../src/flow/index.js';
import type { Malformed, Reader } from '../../src/formats/reader.js';
import { Slicer } from '../../src/sources/slicer.js';
import { atStart } from './atStart.js';

export interface Decoded<T> {
  readonly records: readonly T[];
  readonly bad: readonly Malformed[];
  readonly lines: number;
  readonly state: Json | undefined;
}

/** Decodes an object as a source does, in blocks of at most `block` bytes. */
export function decodeAll<T>(reader: Reader<T>, content: string | Buffer, block = 16 * 1024): Decoded<T> {
  const decoder = reader.decoder(atStart);
  const slicer = new Slicer(decoder, 0, 1024 * 1024, block);
  const records: T[] = [];
  const bad: Malformed[] = [];
  let lines = 0;
  const take = (): void => {
    for (let piece = slicer.next(); piece !== undefined; piece = slicer.next()) {
      if (piece.kind !== 'records') throw new Error('A record is too long for this test.');
      const { bytes, start } = piece;
      lines += decoder.decode(
        bytes,
        start,
        lines + 1,
        (record) => records.push(record),
        (each) => bad.push(each),
      );
    }
  };
  slicer.push(Buffer.from(content));
  take();
  slicer.end();
  take();
  const reason = decoder.missing?.();
  if (reason !== undefined) bad.push({ offset: slicer.offset, length: 0, line: lines + 1, text: '', reason });
  return { records, bad, lines, state: decoder.state?.() };
}
