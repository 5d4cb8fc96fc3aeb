import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { OptionNames } from '../config/checkOptions.js';
import { InvalidOption } from '../config/units.js';
import { isDeeper } from './depth.js';
import { parseExactly } from './jsonNumbers.js';
import { Refused, validator } from './validator.js';

/** Options of `ndjson` and `jsonArray`. */
export interface NdjsonOptions<T> {
  /**
   * Validates every value that is read, and may transform it: any Standard Schema (zod, valibot, arktype, …) that
   * validates synchronously. Values that it rejects are malformed records.
   */
  readonly schema?: StandardSchemaV1<unknown, T>;
  /**
   * How to read numbers with more digits than a double has. `exact` (default): an integer beyond ±(2⁵³ − 1) is read as a
   * `bigint`, any other number as a `JsonNumber`, without losing digits. Records without such numbers are parsed as fast as
   * with `double`. `double`: every number is a `number`, rounded like `JSON.parse` does. Writing keeps all digits either way.
   */
  readonly numbers?: 'exact' | 'double';
  /**
   * The maximum nesting of arrays and objects. A record with more is malformed. 1 to 3,000, default 400: later stages are
   * recursive, and state supports 500 levels.
   */
  readonly maxDepth?: number;
}

export const jsonOptionNames: OptionNames<NdjsonOptions<never>> = {
  schema: true,
  numbers: true,
  maxDepth: true,
};

export type Parse<T> = (text: string) => T;

/** They throw errors for which `reasonOf` returns why the record is malformed. */
export interface JsonParsers<T> {
  readonly parse: Parse<T>;
  /** For texts with numbers that a double may not represent. */
  readonly parseLong: Parse<T> | undefined;
}

/** Errors: `InvalidOption`. */
export function jsonParsers<T>(of: string, options: NdjsonOptions<T>): JsonParsers<T> {
  const { schema, numbers = 'exact', maxDepth = 400 } = options;
  if (!['exact', 'double'].includes(numbers))
    throw new InvalidOption(`${of}: numbers`, numbers, "'exact' or 'double'");
  if (!Number.isInteger(maxDepth) || maxDepth < 1 || maxDepth > 3000)
    throw new InvalidOption(`${of}: maxDepth`, maxDepth, 'a whole number from 1 to 3,000');
  const validate = validator(of, schema);
  const parserOf = (parse: Parse<unknown>): Parse<T> => {
    const parseLimited = limited(maxDepth, parse);
    return schema === undefined ? (parseLimited as Parse<T>) : (text) => validate(parseLimited(text));
  };
  return {
    parse: parserOf(JSON.parse),
    parseLong: numbers === 'exact' ? parserOf(parseExactly) : undefined,
  };
}

/** Not a `SyntaxError`: functions of a schema may throw one, and that is their mistake. */
class NotParsed extends Error {}

function limited(maxDepth: number, parse: Parse<unknown>): Parse<unknown> {
  return (text) => {
    if (isDeeper(text, maxDepth)) throw new NotParsed(`nested more than ${maxDepth} deep (maxDepth)`);
    try {
      return parse(text);
    } catch (error) {
      if (error instanceof SyntaxError) throw new NotParsed(error.message);
      throw error;
    }
  };
}

/** Why a record is malformed. An error that comes neither from the parser nor from the schema is rethrown. */
export function reasonOf(error: unknown): string {
  if (error instanceof Refused || error instanceof NotParsed) return error.message;
  throw error;
}
