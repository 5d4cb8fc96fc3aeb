import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { MillraceError } from '../../errors.js';
import type { Json } from '../../flow/index.js';
import { isRecord, isString } from '../../shape.js';
import type { Malformed, ObjectDecoder, ObjectStart } from '../reader.js';
import { Refused } from '../validator.js';
import { blockAt, headerAt, mostHeader, syncBytes, type Header } from './container.js';
import { blockCodecs, type BlockCodec } from './codecs.js';
import { ContainerCutter } from './cutter.js';
import { corrupt, messageOf } from './failures.js';
import { essential, type Reading } from './schema.js';

export interface Decoding<T> {
  readonly validate: (value: unknown) => T;
  readonly maxBlock: number;
  /** How records of a schema, in JSON, are read. Errors: `Integrity`, `IncompatibleSchema`. */
  readonly reading: (object: string, schema: string) => Reading;
}

/** The header, as positions have it. */
export type AvroState = {
  readonly codec: string;
  /** In base64. */
  readonly sync: string;
  /** JSON, deflated, in base64. */
  readonly schema: string;
};

/** Whether it is a state of `AvroDecoder`. */
export function isAvroState(state: unknown): state is AvroState {
  if (!isRecord(state)) return false;
  const { codec, sync, schema } = state;
  return (
    isString(codec) &&
    isString(schema) &&
    isString(sync) &&
    Buffer.from(sync, 'base64').length === syncBytes &&
    inflated(schema) !== undefined
  );
}

const deflated = (schema: string): string => deflateRawSync(schema).toString('base64');

function inflated(schema: string): string | undefined {
  try {
    return inflateRawSync(Buffer.from(schema, 'base64'), { maxOutputLength: mostHeader }).toString();
  } catch {
    return undefined;
  }
}

interface Container {
  readonly sync: Buffer;
  readonly codec: BlockCodec;
  readonly reading: Reading;
  readonly state: AvroState;
}

const excerptBytes = 256;

/** Decodes blocks. A block that is damaged is malformed as a whole, and so is what lies between it and the next sync marker. */
export class AvroDecoder<T> implements ObjectDecoder<T> {
  readonly #object: string;
  readonly #decoding: Decoding<T>;
  readonly #cutter: ContainerCutter;
  /** `undefined` before the header. */
  #container: Container | undefined;
  /** Data do not become shorter if they are compressed, but a block of one record may exceed its limit by that much. */
  readonly #mostStored: number;

  constructor({ object, state }: ObjectStart, decoding: Decoding<T>) {
    this.#object = object;
    this.#decoding = decoding;
    this.#mostStored = decoding.maxBlock + decoding.maxBlock / 8 + 1024;
    if (state !== undefined) {
      const { codec, sync, schema } = state as AvroState;
      this.#container = this.#open({
        codec,
        sync: Buffer.from(sync, 'base64'),
        schema: inflated(schema) ?? '',
      });
    }
    this.#cutter = new ContainerCutter(this.#container?.sync, this.#mostStored);
  }

  first(bytes: Buffer, from: number, to: number): number {
    return this.#cutter.first(bytes, from, to);
  }

  last(bytes: Buffer, from: number, to: number): number {
    return this.#cutter.last(bytes, from, to);
  }

  decode(
    block: Buffer,
    start: number,
    line: number,
    on: (record: T) => void,
    malformed: (bad: Malformed) => void,
  ): number {
    let at = 0;
    let lines = 0;
    if (this.#container === undefined) {
      const found = headerAt(block, 0, block.length);
      if (typeof found !== 'object')
        throw corrupt(this.#object, typeof found === 'string' ? found : 'it ends in its header');
      this.#container = this.#open(found.header);
      at = found.end;
    }
    const container = this.#container;
    while (at < block.length) {
      const bad = (from: number, to: number, record: number, reason: string): void => {
        const text = block.toString('latin1', from, Math.min(to, from + excerptBytes));
        malformed({ offset: start + from, length: to - from, line: line + record, text, reason });
      };
      const end = this.#end(block, at, container);
      if (typeof end === 'string') {
        const next = block.indexOf(container.sync, at);
        const to = next < 0 ? block.length : next + syncBytes;
        bad(at, to, lines++, end);
        at = to;
        continue;
      }
      const from = at;
      lines += this.#block(block, at, end, container, on, (record, reason) => {
        bad(from, end, lines + record, reason);
      });
      at = end;
    }
    return lines;
  }

  dropped(): number {
    if (this.#container === undefined) throw corrupt(this.#object, 'its header is longer than maxLineBytes');
    return 1;
  }

  state(): Json {
    return this.#container?.state ?? null;
  }

  /** The offset after the block; a string if it is damaged. */
  #end(block: Buffer, at: number, { sync }: Container): number | string {
    const found = blockAt(block, at, block.length, this.#mostStored);
    if (typeof found === 'string') return found;
    if (typeof found === 'number' || found.to + syncBytes > block.length) return 'the object ends in a block';
    const end = found.to + syncBytes;
    return sync.compare(block, found.to, end) === 0 ? end : 'a block without a sync marker at its end';
  }

  /** Returns its number of records, or 1 if all of it is malformed. */
  #block(
    block: Buffer,
    at: number,
    end: number,
    { codec, reading }: Container,
    on: (record: T) => void,
    bad: (record: number, reason: string) => void,
  ): number {
    const { maxBlock, validate } = this.#decoding;
    const found = blockAt(block, at, end, this.#mostStored);
    if (typeof found !== 'object') return 0;
    const { count, from, to } = found;
    let data: Buffer;
    try {
      data = codec.decompress(block.subarray(from, to), maxBlock);
      reading.check(data, count);
    } catch (error) {
      bad(0, `a block that is damaged, or larger than maxBlock (${maxBlock} bytes): ${messageOf(error)}`);
      return 1;
    }
    for (let i = 0, next = 0; i < count; i++) {
      const offset = next;
      const malformed = (error: unknown): void => {
        bad(i, `record ${i + 1} of ${count} in its block: ${messageOf(error)}`);
      };
      let value: unknown;
      try {
        const decoded = reading.decode(data, offset);
        next = decoded.offset;
        value = decoded.value;
      } catch (error) {
        if (error instanceof MillraceError) throw error;
        next = reading.skip(data, offset);
        malformed(error);
        continue;
      }
      let record: T;
      try {
        record = validate(value);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        malformed(error);
        continue;
      }
      on(record);
    }
    return count;
  }

  #open(header: Header): Container {
    const codec = blockCodecs[header.codec];
    if (codec === undefined || !Object.hasOwn(blockCodecs, header.codec))
      throw new MillraceError(
        'UnknownCodec',
        `The blocks of ${this.#object} are compressed with ${header.codec}${header.codec === 'zstandard' ? ', which needs Node 22.15 or later' : ''}. Write it with ${Object.keys(blockCodecs).join(', ')}, or leave it out of the URI's glob.`,
      );
    let schema: string;
    try {
      schema = essential(header.schema);
    } catch (error) {
      throw corrupt(this.#object, `its schema cannot be read: ${messageOf(error)}`, error);
    }
    return {
      codec,
      sync: header.sync,
      reading: this.#decoding.reading(this.#object, schema),
      state: { codec: header.codec, sync: header.sync.toString('base64'), schema: deflated(schema) },
    };
  }
}
