import { InvalidOption } from './units.js';

/** Bytes. Ids are parts of keys, which have at most 1,024 bytes. */
const longest = 200;

/**
 * Checks the id of an operator, source or sink, which checkpoints and object names contain. Errors: `InvalidOption`.
 *
 * @param of for the message: `the id of keyed`
 */
export function checkId(of: string, id: unknown): void {
  const right =
    typeof id === 'string' &&
    id !== '' &&
    Buffer.byteLength(id) <= longest &&
    !/[\p{Cc}\p{Surrogate}]/u.test(id);
  if (!right)
    throw new InvalidOption(
      of,
      id,
      `a string of 1 to ${longest} bytes without control characters, the same from run to run`,
    );
}
