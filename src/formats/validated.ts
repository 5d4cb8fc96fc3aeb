import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { ObjectDecoder, Reader } from './reader.js';
import { Refused, validator } from './validator.js';

/** How a record that the schema rejects is reported. */
export interface Shown {
  /** What may follow a record and is no part of it. The first that fits. */
  readonly ends?: readonly string[];
  readonly text: (bytes: Buffer) => string;
}

/**
 * A reader whose records a schema validates, and may transform. Those that it rejects are malformed. For readers each unit of
 * which is one record, or malformed, and whose decoders have neither a state nor use `this`.
 *
 * Errors: `InvalidOption`, `AsyncSchema`.
 *
 * @param of the format: `text`
 */
export function validated<T>(
  of: string,
  reader: Reader<unknown>,
  schema: StandardSchemaV1<unknown, T> | undefined,
  shown: Shown,
): Reader<T> {
  if (schema === undefined) return reader as Reader<T>;
  const validate = validator(of, schema);
  return {
    ...reader,
    decoder(start): ObjectDecoder<T> {
      const decoder = reader.decoder(start);
      return {
        ...decoder,
        decode(block, at, line, on, malformed) {
          let units = 0;
          let places: UnitBytes | undefined;
          const refuse = (unit: number, reason: string): void => {
            places ??= new UnitBytes(block, reader.decoder({ ...start, offset: at }));
            const { from, to } = places.at(unit);
            const bytes = withoutEnd(block.subarray(from, to), shown.ends ?? []);
            const length = bytes.length;
            malformed({ offset: at + from, length, line: line + unit, text: shown.text(bytes), reason });
          };
          return decoder.decode(
            block,
            at,
            line,
            (record) => {
              const unit = units++;
              let valid: T;
              try {
                valid = validate(record);
              } catch (error) {
                if (!(error instanceof Refused)) throw error;
                refuse(unit, error.message);
                return;
              }
              on(valid);
            },
            (bad) => {
              units++;
              malformed(bad);
            },
          );
        },
      };
    },
  };
}

/** Finds the bytes of units in `block`, from one unit to the next. */
class UnitBytes {
  readonly #block: Buffer;
  readonly #cutter: Pick<ObjectDecoder<unknown>, 'first'>;
  #unit = 0;
  #from = 0;
  #to: number;

  constructor(block: Buffer, cutter: Pick<ObjectDecoder<unknown>, 'first'>) {
    this.#block = block;
    this.#cutter = cutter;
    this.#to = this.#end();
  }

  /** The bytes of a unit, with its boundary. `unit` is 0-based, and must not decrease from call to call. */
  at(unit: number): { readonly from: number; readonly to: number } {
    for (; this.#unit < unit; this.#unit++) {
      this.#from = this.#to;
      this.#to = this.#end();
    }
    return { from: this.#from, to: this.#to };
  }

  #end(): number {
    const end = this.#cutter.first(this.#block, this.#from, this.#block.length);
    return end < 0 ? this.#block.length : end;
  }
}

function withoutEnd(bytes: Buffer, ends: readonly string[]): Buffer {
  const end = ends.map((each) => Buffer.from(each)).find((each) => bytes.subarray(-each.length).equals(each));
  return end === undefined ? bytes : bytes.subarray(0, bytes.length - end.length);
}
