import { randomBytes } from 'node:crypto';
import avsc from 'avsc';
import { MillraceError } from '../../errors.js';
import { printable } from '../../printable.js';
import { typeName } from '../typeName.js';
import type { FileEncoder, FileOutput, Persisted } from '../writer.js';
import type { BlockCodec } from './codecs.js';
import { blockOf, headerOf, syncBytes } from './container.js';

export interface Writing {
  readonly type: avsc.Type;
  /** JSON. */
  readonly schema: string;
  readonly codec: string;
  readonly blockCodec: BlockCodec;
  /** Bytes of a block before compression. */
  readonly block: number;
}

/** Bytes of the smallest buffer. */
const smallest = 1024;

/**
 * Writes one file. Records are collected into a block, which ends when it is full, at a checkpoint, and when memory is short.
 * The file is complete after any block. The sync marker is random, so that records of strangers cannot contain it.
 */
export class AvroEncoder implements FileEncoder<unknown> {
  readonly #writing: Writing;
  readonly #out: FileOutput;
  readonly #sync = randomBytes(syncBytes);
  #started = false;
  #data: Buffer = Buffer.alloc(0);
  #length = 0;
  #count = 0;

  constructor(writing: Writing, out: FileOutput) {
    this.#writing = writing;
    this.#out = out;
  }

  /** The buffer grows by doubling, so that not every record changes it. */
  get held(): number {
    return this.#data.length;
  }

  write(record: unknown): void {
    const { type, block } = this.#writing;
    let valid: boolean;
    try {
      valid = type.isValid(record, { noUndeclaredFields: true });
      if (valid) this.#encode(record);
    } catch (error) {
      throw refusal(
        `encoding it failed with ${error instanceof Error ? error.name : typeName(error)}`,
        error,
      );
    }
    if (!valid) throw this.#notAvro(record);
    this.#count++;
    if (this.#length >= block) this.#endBlock();
  }

  persist(): Persisted {
    this.#endBlock();
    return {};
  }

  flush(): void {
    this.#endBlock();
  }

  finish(): void {
    this.#start();
    this.#endBlock();
  }

  #encode(record: unknown): void {
    const { type } = this.#writing;
    for (;;) {
      const end = type.encode(record, this.#data, this.#length);
      if (end >= 0) {
        this.#length = end;
        return;
      }
      // The buffer is short of this many bytes.
      const larger = Buffer.alloc(Math.max(2 * this.#data.length, this.#data.length - end, smallest));
      this.#data.copy(larger, 0, 0, this.#length);
      this.#data = larger;
    }
  }

  #start(): void {
    if (this.#started) return;
    this.#started = true;
    const { schema, codec } = this.#writing;
    this.#out.write(headerOf({ schema, codec, sync: this.#sync }));
  }

  #endBlock(): void {
    if (this.#count === 0) return;
    this.#start();
    const data = this.#writing.blockCodec.compress(this.#data.subarray(0, this.#length));
    this.#out.write(blockOf(this.#count, data, this.#sync));
    this.#count = 0;
    this.#length = 0;
    // An open file without records keeps no memory.
    this.#data = Buffer.alloc(0);
  }

  #notAvro(record: unknown): MillraceError {
    let what: string | undefined;
    this.#writing.type.isValid(record, {
      noUndeclaredFields: true,
      errorHook: (path, value, type) => {
        what ??= misfit(path, value, type);
      },
    });
    return refusal(what ?? 'it does not fit avroSchema');
  }
}

const most = 200;

/** Values of records are not in the message. */
function refusal(what: string, cause?: unknown): MillraceError {
  return new MillraceError(
    'NotAvro',
    `A record cannot be written as Avro: ${what}. Map the record before the sink, or change avroSchema.`,
    cause === undefined ? {} : { cause },
  );
}

function misfit(path: readonly string[], value: unknown, type: avsc.Type): string {
  const at = (steps: readonly string[]): string =>
    steps.length === 0 ? 'the record' : printable(steps.join('.').slice(0, most));
  const surplus = surplusOf(value, type);
  if (surplus !== undefined) return `${at([...path, surplus])} is not in the schema`;
  if (value === undefined || value === null) return `${at(path)} is ${value === null ? 'null' : 'missing'}`;
  // Of our logical types.
  const { kind } = type as { readonly kind?: string };
  const expected = kind ?? JSON.stringify(type.schema({ noDeref: true })).slice(0, most);
  const isText = typeof value === 'string' && kind !== undefined && /date|timestamp/.test(kind);
  const hint = isText ? "; ISO 8601 text in UTC is written with the option dates: 'text'" : '';
  return `${at(path)} is a value of type ${typeName(value)} that does not fit ${expected}${hint}`;
}

/** avsc says of a record only that it has a field too many. */
function surplusOf(value: unknown, type: avsc.Type): string | undefined {
  if (!(type instanceof avsc.types.RecordType) || typeof value !== 'object' || value === null)
    return undefined;
  const names = new Set(type.fields.map(({ name }) => name));
  return Object.keys(value).find((name) => !names.has(name));
}
