import type { Malformed, ObjectDecoder, Reader } from '../../src/formats/reader.js';

export type CsvRow = Readonly<Record<string, string>>;

interface CsvState {
  readonly header: readonly string[];
}

/** CSV with a header and quoted values, which may hold commas and newlines. Its state is the header. */
export const csv: Reader<CsvRow> = {
  name: 'csv',
  text: true,
  decoder: ({ state }) => new CsvDecoder((state as CsvState | undefined)?.header),
  isState: (state) => {
    const { header } = (state ?? {}) as { readonly header?: unknown };
    return Array.isArray(header) && header.every((name) => typeof name === 'string');
  },
};

export const csvLine = (values: readonly string[]): string =>
  values.map((value) => (/[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value)).join(',') + '\n';

const quote = 0x22;
const newline = 0x0a;

class CsvDecoder implements ObjectDecoder<CsvRow> {
  #header: readonly string[] | undefined;
  /** The row that `first` is in has an open quote. */
  #quoted = false;

  constructor(header: readonly string[] | undefined) {
    this.#header = header;
  }

  first(bytes: Buffer, from: number, to: number): number {
    for (let at = from; at < to; at++) {
      if (bytes[at] === quote) this.#quoted = !this.#quoted;
      else if (bytes[at] === newline && !this.#quoted) return at + 1;
    }
    return -1;
  }

  last(bytes: Buffer, from: number, to: number): number {
    let end = -1;
    let quoted = false;
    for (let at = from; at < to; at++) {
      if (bytes[at] === quote) quoted = !quoted;
      else if (bytes[at] === newline && !quoted) end = at + 1;
    }
    return end;
  }

  decode(
    block: Buffer,
    start: number,
    line: number,
    on: (row: CsvRow) => void,
    malformed: (bad: Malformed) => void,
  ): number {
    let lines = 0;
    for (let from = 0; from < block.length;) {
      const cut = new CsvDecoder(undefined).first(block, from, block.length);
      const to = cut < 0 ? block.length : cut;
      const text = block.toString('utf8', from, cut < 0 ? to : to - 1);
      const values = valuesOf(text);
      const header = this.#header;
      if (header === undefined) this.#header = values;
      else if (values.length === header.length)
        on(Object.fromEntries(values.map((value, i) => [header[i], value])));
      else {
        const reason = `${values.length} values instead of ${header.length}`;
        malformed({
          offset: start + from,
          length: Buffer.byteLength(text),
          line: line + lines,
          text,
          reason,
        });
      }
      lines += text.split('\n').length;
      from = to;
    }
    return lines;
  }

  dropped(): void {
    this.#header ??= [];
  }

  state(): { readonly header: readonly string[] } {
    return { header: this.#header ?? [] };
  }
}

function valuesOf(row: string): string[] {
  const values = [''];
  let quoted = false;
  for (let at = 0; at < row.length; at++) {
    const char = row.charAt(at);
    if (char === '"') {
      // A doubled quote is one that belongs to the value.
      if (quoted && row[at + 1] === '"') at++;
      else {
        quoted = !quoted;
        continue;
      }
    } else if (char === ',' && !quoted) {
      values.push('');
      continue;
    }
    values.push((values.pop() ?? '') + char);
  }
  return values;
}
