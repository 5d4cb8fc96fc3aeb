import { randomBytes } from 'node:crypto';
import type avsc from 'avsc';
import { MillraceError } from '../../errors.js';
import type { FileEncoder, FileOutput, Persisted } from '../writer.js';
import type { BlockCodec } from './codecs.js';
import { blockOf, headerOf, syncBytes } from './container.js';
import { messageOf } from './failures.js';

export interface Writing {
  readonly type: avsc.Type;
  /** JSON. */
  readonly schema: string;
  readonly codec: string;
  readonly blockCodec: BlockCodec;
  /** Bytes of a block before compression. */
  readonly block: number;
}

/** The unit in which `held` grows, in bytes. */
const step = 1024;
const smallest = 4 * step;

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

  /** In steps, so that not every record changes it. */
  get held(): number {
    return Math.ceil(this.#length / step) * step;
  }

  write(record: unknown): void {
    const { type, block } = this.#writing;
    let valid: boolean;
    try {
      valid = type.isValid(record, { noUndeclaredFields: true });
      if (valid) this.#encode(record);
    } catch (error) {
      throw new MillraceError('NotAvro', `A record cannot be written as Avro: ${messageOf(error)}.`, {
        cause: error,
      });
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
    // One large record does not keep its memory.
    if (this.#data.length > 2 * this.#writing.block) this.#data = Buffer.alloc(0);
  }

  #notAvro(record: unknown): MillraceError {
    let what = 'it does not fit the schema';
    this.#writing.type.isValid(record, {
      noUndeclaredFields: true,
      errorHook: (path, value, type) => {
        const where = path.length === 0 ? 'it' : path.join('.');
        what = `${where} is ${shown(value)}, which is not valid for ${shown(type.schema({ noDeref: true }))}`;
      },
    });
    return new MillraceError('NotAvro', `A record cannot be written as Avro: ${what}.`);
  }
}

const excerptChars = 80;

function shown(value: unknown): string {
  const text =
    typeof value === 'object' && value !== null
      ? JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? String(each) : each))
      : String(value);
  return text.length > excerptChars ? `${text.slice(0, excerptChars)}…` : text;
}
