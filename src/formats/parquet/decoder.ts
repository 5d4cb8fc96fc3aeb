import {
  parquetMetadata,
  parquetSchema,
  type AsyncBuffer,
  type AsyncRowGroup,
  type Compressors,
  type DecodedArray,
  type FileMetaData,
  type RowGroup,
  type SchemaTree,
} from 'hyparquet';
import { parquetReadAsync } from 'hyparquet/src/read.js';
import { assembleAsync } from 'hyparquet/src/rowgroup.js';
import { MillraceError } from '../../errors.js';
import type { Json } from '../../flow/index.js';
import type { GroupRange, GroupDecoder, GroupStart } from '../groupReader.js';
import type { Malformed } from '../reader.js';
import { Refused } from '../validator.js';
import { codecsOf } from './codecs.js';
import { unfit } from './columnFit.js';
import { corrupt } from './failures.js';
import { planGroup, type GroupPlan } from './groupPlan.js';
import { BadValue, setProperty, type Dates } from '../typedValues.js';
import type { Field } from './types.js';
import { converter, parsers, plain, type Kinds } from './values.js';

export interface DecoderOptions<T> {
  readonly columns: readonly string[] | undefined;
  /** Columns with types, which the file must have. */
  readonly fields: readonly Field[] | undefined;
  readonly validate: (value: unknown) => T;
  readonly dates: Dates;
  readonly maxRowGroup: number;
  readonly compressors: Compressors | undefined;
}

/** Where a decoder is: the row group, and the row in it. */
export interface RowState {
  readonly group: number;
  readonly row: number;
}

/** Bytes from the end that are fetched first. Most footers are in them. */
const tailBytes = 64 * 1024;
/** The length of the footer, and `PAR1`. */
const trailerBytes = 8;
const excerptChars = 256;

interface Column {
  readonly name: string;
  readonly convert: (value: unknown) => unknown;
}

/** A column of the current group: what its pages have, and the page that the next row is in. */
interface Pages {
  readonly column: Column;
  readonly pages: readonly DecodedArray[];
  page: number;
  at: number;
}

export class ParquetDecoder<T> implements GroupDecoder<T> {
  readonly #object: string;
  readonly #size: number;
  readonly #options: DecoderOptions<T>;
  #footer: GroupRange;
  #metadata: FileMetaData | undefined;
  #columns: readonly Column[] = [];
  #leaves: ReadonlySet<string> = new Set();
  #group: number;
  #row: number;
  /** The row to continue at, in the first group that is read. */
  #skip: number;
  #groupRows = 0;
  /** Rows of the groups before the current one. */
  #before = 0;
  #pages: readonly Pages[] = [];
  /** The ranges of the current group. */
  #wanted: readonly GroupRange[] = [];
  #held = 0;
  recordBytes = 1;
  offset: number;

  constructor({ object, size, state, offset }: GroupStart, options: DecoderOptions<T>) {
    this.#object = object;
    this.#size = size;
    this.#options = options;
    const { group, row } = (state as RowState | undefined) ?? { group: 0, row: 0 };
    this.#group = group;
    this.#row = row;
    this.#skip = row;
    this.offset = offset;
    this.#footer = { start: Math.max(0, size - tailBytes), end: size };
  }

  get left(): number {
    return this.#groupRows === 0 ? 0 : this.#groupRows - this.#row;
  }

  get records(): number {
    return this.#before + this.#row;
  }

  get held(): number {
    return this.#held;
  }

  state(): Json {
    return { group: this.#group, row: this.#row };
  }

  wants(): readonly GroupRange[] {
    const metadata = this.#metadata;
    if (metadata === undefined) {
      if (this.#size < trailerBytes + 4) throw corrupt(this.#object, `it has ${this.#size} bytes`);
      return [this.#footer];
    }
    if (this.#groupRows > 0) {
      this.#before += this.#groupRows;
      this.#group++;
      this.#row = 0;
      this.#skip = 0;
    }
    this.#groupRows = 0;
    this.#pages = [];
    this.#held = 0;
    const next = this.#from(metadata, this.#group);
    this.#group = next?.index ?? metadata.row_groups.length;
    if (next === undefined) return [];
    const { ranges, bytes } = this.#intact(`row group ${next.index} cannot be read`, () =>
      this.#plan(next.index, next.group),
    );
    this.offset = ranges[0].start;
    this.#held = bytes;
    this.#wanted = ranges;
    this.recordBytes = Math.max(1, Math.ceil(bytes / Number(next.group.num_rows)));
    return ranges;
  }

  ahead(): readonly GroupRange[] {
    if (this.#metadata === undefined || this.#groupRows === 0) return [];
    const next = this.#from(this.#metadata, this.#group + 1);
    if (next === undefined) return [];
    try {
      return this.#plan(next.index, next.group).ranges;
    } catch {
      // `wants` throws it when the rows before it are read.
      return [];
    }
  }

  /** The first group with rows, from a group on. */
  #from(metadata: FileMetaData, index: number): { index: number; group: RowGroup } | undefined {
    for (; ; index++) {
      const group = metadata.row_groups[index];
      if (group === undefined) return undefined;
      if (Number(group.num_rows) > 0) return { index, group };
    }
  }

  async take(parts: readonly Uint8Array[]): Promise<void> {
    const metadata = this.#metadata;
    if (metadata === undefined) this.#takeFooter(parts[0] ?? new Uint8Array());
    else await this.#takeGroup(metadata, parts);
  }

  decode(on: (record: T) => void, malformed: (bad: Malformed) => void): void {
    const values = this.#pages.map((pages) => {
      let page = pages.pages[pages.page];
      while (page !== undefined && pages.at >= page.length) {
        page = pages.pages[++pages.page];
        pages.at = 0;
      }
      return page?.[pages.at++] as unknown;
    });
    const line = this.records + 1;
    this.#row++;
    let record: T;
    const row: Record<string, unknown> = {};
    try {
      for (const [i, { column }] of this.#pages.entries())
        setProperty(row, column.name, this.#converted(column, values[i]));
      record = this.#options.validate(row);
    } catch (error) {
      if (!(error instanceof BadValue || error instanceof Refused)) throw error;
      const text = excerptOf(row);
      malformed({ offset: this.offset, length: this.recordBytes, line, text, reason: error.message });
      return;
    }
    on(record);
  }

  #converted({ name, convert }: Column, value: unknown): unknown {
    try {
      return convert(value);
    } catch (error) {
      if (error instanceof BadValue) throw error;
      throw corrupt(
        this.#object,
        `column ${name} of row group ${this.#group} has a value of another type`,
        error,
      );
    }
  }

  #takeFooter(part: Uint8Array): void {
    const tail = Buffer.from(part.buffer, part.byteOffset, part.byteLength);
    const magic = tail.toString('latin1', tail.length - 4);
    if (magic === 'PARE')
      throw new MillraceError(
        'UnknownCodec',
        `${this.#object} is an encrypted Parquet file: decrypt it, or leave it out of the URI's glob.`,
      );
    if (magic !== 'PAR1') throw corrupt(this.#object, 'it does not end with PAR1');
    const length = tail.readUInt32LE(tail.length - trailerBytes) + trailerBytes;
    if (length + 4 > this.#size) throw corrupt(this.#object, 'its footer is longer than the object');
    if (length > this.#options.maxRowGroup) throw corrupt(this.#object, `its footer has ${length} bytes`);
    if (length > tail.length) {
      this.#footer = { start: this.#size - length, end: this.#size };
      return;
    }
    this.#open(this.#intact('its footer cannot be read', () => parquetMetadata(part, { geoparquet: false })));
  }

  #open(metadata: FileMetaData): void {
    const kinds = plain(metadata);
    const tree = this.#intact('its schema cannot be read', () => parquetSchema(metadata));
    const found = new Map(tree.children.map((child) => [child.element.name, child]));
    this.#leaves = new Set(leavesOf(tree));
    this.#columns = (this.#options.columns ?? [...found.keys()]).map((name) => {
      const child = found.get(name);
      if (child === undefined)
        throw new MillraceError(
          'UnknownColumn',
          `${this.#object} has no column '${name}': it has ${[...found.keys()].join(', ')}. Correct columns of parquet(), or leave the object out of the URI's glob.`,
        );
      this.#checkType(child, kinds);
      return { name, convert: converter(child, kinds, this.#options.dates) };
    });
    for (const group of metadata.row_groups.slice(0, this.#group)) this.#before += Number(group.num_rows);
    this.#metadata = metadata;
  }

  #checkType(column: SchemaTree, kinds: Kinds): void {
    const field = this.#options.fields?.find(({ name }) => name === column.element.name);
    const found = field && unfit(field.type, column, kinds);
    if (found === undefined) return;
    throw new MillraceError(
      'WrongColumnType',
      `${this.#object} has ${found.has} as column '${found.path.join('.')}', and the schema of parquet() has ${found.wants}. Correct the schema, leave the column out of columns, or leave the object out of the URI's glob.`,
    );
  }

  #plan(index: number, group: RowGroup): GroupPlan {
    const { maxRowGroup, compressors } = this.#options;
    return planGroup(group, {
      object: this.#object,
      size: this.#size,
      index,
      names: new Set(this.#columns.map(({ name }) => name)),
      leaves: this.#leaves,
      codecs: codecsOf(compressors, maxRowGroup),
      maxRowGroup,
    });
  }

  async #takeGroup(metadata: FileMetaData, parts: readonly Uint8Array[]): Promise<void> {
    const rows = Number(metadata.row_groups[this.#group]?.num_rows);
    const pages = new Map<string, DecodedArray[]>(this.#columns.map(({ name }) => [name, []]));
    // Only this group, so that nothing depends on the others.
    const groups = metadata.row_groups.slice(this.#group, this.#group + 1);
    try {
      const grouped = { ...metadata, row_groups: groups, num_rows: BigInt(rows) };
      const [group] = parquetReadAsync({
        file: bufferOf(this.#size, this.#wanted, parts),
        metadata: grouped,
        columns: this.#columns.map(({ name }) => name),
        compressors: codecsOf(this.#options.compressors, this.#options.maxRowGroup),
        parsers,
        utf8: false,
        geoparquet: false,
      });
      if (group !== undefined) {
        observed(group);
        const { asyncColumns } = observed(assembleAsync(group, parquetSchema(grouped), parsers));
        for (const { pathInSchema, data } of asyncColumns)
          pages.get(pathInSchema[0] ?? '')?.push(...(await data).data);
      }
    } catch (error) {
      throw corrupt(this.#object, `row group ${this.#group} cannot be decoded`, error);
    }
    this.#pages = this.#columns.map((column) => {
      const found = pages.get(column.name) ?? [];
      const length = found.reduce((sum, page) => sum + page.length, 0);
      if (length !== rows)
        throw corrupt(
          this.#object,
          `column ${column.name} of row group ${this.#group} has ${length} rows instead of ${rows}`,
        );
      return { column, pages: found, page: 0, at: 0 };
    });
    if (this.#skip > rows) throw corrupt(this.#object, `row group ${this.#group} has ${rows} rows`);
    this.#groupRows = rows;
    for (const each of this.#pages) each.at = this.#skip;
    for (const each of this.#pages) skipPages(each);
    if (this.#skip === rows) this.#pages = [];
  }

  #intact<R>(what: string, read: () => R): R {
    try {
      return read();
    } catch (error) {
      throw error instanceof MillraceError ? error : corrupt(this.#object, what, error);
    }
  }
}

/** Another column may fail first, and then nothing waits for these: a rejection would end the process. */
function observed(group: AsyncRowGroup): AsyncRowGroup {
  for (const { data } of group.asyncColumns) data.catch(() => undefined);
  return group;
}

/** The paths of all columns with values. */
const leavesOf = ({ children, path }: SchemaTree): readonly string[] =>
  children.length === 0 ? [path.join('.')] : children.flatMap(leavesOf);

/** `at` may lie in a later page. */
function skipPages(pages: Pages): void {
  for (let page = pages.pages[pages.page]; page !== undefined && pages.at >= page.length;) {
    pages.at -= page.length;
    page = pages.pages[++pages.page];
  }
}

/** What hyparquet reads. It joins columns that are close together, and never decodes what is between them. */
function bufferOf(size: number, ranges: readonly GroupRange[], parts: readonly Uint8Array[]): AsyncBuffer {
  return {
    byteLength: size,
    slice(from, to = size) {
      const whole = ranges.findIndex(({ start, end }) => start === from && end === to);
      const part = parts[whole];
      if (part !== undefined && part.byteLength === part.buffer.byteLength) return part.buffer as ArrayBuffer;
      const result = new Uint8Array(to - from);
      for (const [i, { start, end }] of ranges.entries()) {
        const begin = Math.max(from, start);
        const stop = Math.min(to, end);
        if (begin < stop) result.set(parts[i]?.subarray(begin - start, stop - start) ?? [], begin - from);
      }
      return result.buffer;
    },
  };
}

function excerptOf(row: object): string {
  const text = JSON.stringify(row, (_, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  );
  return text.slice(0, excerptChars);
}
