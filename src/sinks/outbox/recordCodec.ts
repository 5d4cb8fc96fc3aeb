import { MillraceError } from '../../errors.js';
import {
  encodeValue,
  messagePack,
  pack,
  unpackForeign,
  Unstorable,
  type Serializer,
} from '../../state/index.js';
import type { Journaled } from './journaled.js';

/** Encodes records for journals and decodes them, as state does its values. */
export class RecordCodec<A> {
  constructor(
    private readonly id: string,
    private readonly serializer: Serializer<A>,
  ) {}

  get format(): Journaled['serializer'] {
    const { id, version } = this.serializer;
    return { id, version };
  }

  /** The bytes are to be copied. Errors: `UnsupportedRecord`. */
  encode(record: A): Uint8Array {
    const { serializer } = this;
    try {
      if ((serializer as Serializer<unknown>) === messagePack) return pack(record);
      return encodeValue(record, serializer).bytes;
    } catch (error) {
      if (!(error instanceof Unstorable)) throw error;
      throw new MillraceError(
        'UnsupportedRecord',
        `Sink '${this.id}' cannot keep a record until it is published: it ${error.what}. Emit plain data (dates, maps, sets and binary data included), or give the sink a \`serializer\` that brings back what it is given.`,
        { cause: error.cause },
      );
    }
  }

  /** Decodes what `version` of the serializer wrote. Errors: `FormatChanged`. */
  decode(bytes: Buffer, version: number): A {
    if ((this.serializer as Serializer<unknown>) === messagePack) return unpackForeign(bytes) as A;
    try {
      // A copy: what serializers return may be a view of the bytes.
      return this.serializer.decode(Uint8Array.prototype.slice.call(bytes), version);
    } catch (cause) {
      throw new MillraceError(
        'FormatChanged',
        `Sink '${this.id}': serializer '${this.serializer.id}' cannot decode a record that version ${version} of it has written before. Make it read that again, and start the job: the record is in the checkpoint.`,
        { cause },
      );
    }
  }

  /** Errors: `FormatChanged`. */
  check({ uid, serializer: { id, version } }: Journaled): void {
    if (id === this.serializer.id && version <= this.serializer.version) return;
    throw new MillraceError(
      'FormatChanged',
      `The checkpoint holds records ${uid} of sink '${this.id}', which version ${version} of serializer '${id}' has written; the sink has version ${this.serializer.version} of '${this.serializer.id}'. Start the job with the former serializer and stop it: that publishes the records.`,
    );
  }
}
