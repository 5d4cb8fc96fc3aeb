/**
 * The row groups of a file and its footer, by hyparquet-writer. What it knows of the groups written so far, which the footer
 * lists, can be taken out as a state, and put into another file, which then continues where this one was.
 */
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { elementsOf, leavesOf, type Leaf } from './elements.js';
import { statisticsOf } from './groupState.js';
import { minusZeroIn } from './minusZero.js';
import type { Field } from './types.js';
import type { Compression } from './writeCodecs.js';
import type { ColumnData, ColumnSource, RowGroup, SchemaElement } from './writerTypes.js';

/** Bytes of a page before compression. */
const pageSize = 1024 * 1024;

export class RowGroups {
  readonly #bytes = new Bytes();
  readonly #writer: ParquetWriter;
  readonly #footer: SchemaElement[];
  readonly #leaves: readonly Leaf[];
  readonly #minusZeros: readonly (((value: unknown) => boolean) | undefined)[];

  /** @param written the groups of the file so far, and its length */
  constructor(
    fields: readonly Field[],
    { codec, compressors }: Compression,
    written?: { readonly groups: readonly RowGroup[]; readonly length: number },
  ) {
    this.#footer = elementsOf(fields);
    this.#leaves = leavesOf(this.#footer);
    this.#minusZeros = fields.map(({ type }) => minusZeroIn(type));
    // The values of JSON columns are strings already, which hyparquet-writer would quote.
    const schema = this.#footer.map((element) => {
      const { converted_type, ...rest } = element;
      return converted_type === 'JSON' ? rest : element;
    });
    const createdBy = 'millrace';
    this.#writer = new ParquetWriter({ writer: this.#bytes, schema, codec, compressors, createdBy });
    if (written === undefined || written.length === 0) return;
    this.#bytes.continueAt(written.length);
    this.#writer.row_groups.push(...written.groups);
    this.#writer.num_rows = written.groups.reduce((sum, { num_rows }) => sum + num_rows, 0n);
  }

  get groups(): readonly RowGroup[] {
    return this.#writer.row_groups;
  }

  /** Bytes returned so far. */
  get length(): number {
    return this.#bytes.offset - this.#bytes.index;
  }

  /** Adds a row group, and returns its bytes. The first one follows the magic number. */
  write(columns: readonly { readonly name: string; readonly data: ColumnData }[], rows: number): Uint8Array {
    const columnData = columns.map(({ name, data }, i): ColumnSource => {
      const isMinusZero = this.#minusZeros[i];
      const exact = isMinusZero !== undefined && Array.prototype.some.call(data, isMinusZero);
      return { name, data, offsetIndex: false, ...(exact && { encoding: 'PLAIN' as const }) };
    });
    void this.#writer.write({ columnData, rowGroupSize: rows, pageSize });
    // Nothing is written after the groups but the footer.
    this.#writer.pendingIndexes = [];
    const group = this.#writer.row_groups.at(-1);
    for (const [i, { meta_data }] of (group?.columns ?? []).entries()) {
      const leaf = this.#leaves[i];
      if (meta_data?.statistics !== undefined && leaf !== undefined)
        meta_data.statistics = statisticsOf(meta_data.statistics, leaf.element);
    }
    return this.#bytes.take();
  }

  /** The rest of the file. Nothing is called afterwards. */
  finish(): Uint8Array {
    this.#writer.schema = this.#footer;
    void this.#writer.finish();
    return this.#bytes.take();
  }
}

class Bytes extends ByteWriter {
  /** The bytes since the last time. */
  take(): Uint8Array {
    const bytes = this.getBytes();
    this.#clear();
    return bytes;
  }

  /** What has been added is not of this part of the file. */
  continueAt(offset: number): void {
    this.offset = offset;
    this.#clear();
  }

  #clear(): void {
    this.buffer = new ArrayBuffer(64);
    this.view = new DataView(this.buffer);
    this.index = 0;
  }
}
