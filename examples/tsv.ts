import type { Malformed, ObjectDecoder, Reader } from 'millrace/operators';

type Row = Readonly<Record<string, string>>;

/** Lines of values with tabs between them. The first line of an object has the names of its columns. */
export const tsv: Reader<Row> = {
  name: 'tsv',
  text: true,
  decoder: ({ state }) => new TsvDecoder(state as readonly string[] | undefined),
  isState: (state) => Array.isArray(state) && state.every((name) => typeof name === 'string'),
};

class TsvDecoder implements ObjectDecoder<Row> {
  #names: readonly string[] | undefined;

  constructor(names: readonly string[] | undefined) {
    this.#names = names;
  }

  first(bytes: Buffer, from: number, to: number): number {
    const at = bytes.subarray(from, to).indexOf('\n');
    return at < 0 ? -1 : from + at + 1;
  }

  last(bytes: Buffer, from: number, to: number): number {
    const at = bytes.subarray(from, to).lastIndexOf('\n');
    return at < 0 ? -1 : from + at + 1;
  }

  decode(
    block: Buffer,
    start: number,
    line: number,
    on: (row: Row) => void,
    malformed: (bad: Malformed) => void,
  ): number {
    const lines = block.toString().replace(/\n$/, '').split('\n');
    let offset = start;
    for (const [i, text] of lines.entries()) {
      const length = Buffer.byteLength(text);
      const values = text.split('\t');
      const names = this.#names;
      if (names === undefined) this.#names = values;
      else if (values.length === names.length)
        on(Object.fromEntries(values.map((value, n) => [names[n] ?? '', value])));
      else {
        const reason = `${values.length} values instead of ${names.length}`;
        malformed({ offset, length, line: line + i, text, reason });
      }
      offset += length + 1;
    }
    return lines.length;
  }

  /** Without its first line, nothing of an object can be read. */
  dropped(): number {
    this.#names ??= [];
    return 1;
  }

  state(): readonly string[] {
    return this.#names ?? [];
  }
}
