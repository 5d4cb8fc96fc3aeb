/**
 * The CRC-32 of two pieces put together, from the CRC of each and the length of the second: appending `length` zero
 * bytes is a linear map over GF(2), raised to that power by squaring. (As zlib's `crc32_combine`, which Node does not
 * expose.) It lets a store that keeps only a checksum per part say what the whole object is, whatever order they came in.
 */
type Matrix = readonly number[];

/** Appends one zero bit: row n is the image of bit n. */
const oneBit: Matrix = [0xedb88320, ...Array.from({ length: 31 }, (_, n) => 2 ** n)];

export function combineCrc32(first: number, second: number, length: number): number {
  let result = first;
  let power = square(square(square(oneBit))); // one byte
  for (let rest = length; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = times(power, result);
    power = square(power);
  }
  return (result ^ second) >>> 0;
}

function times(matrix: Matrix, vector: number): number {
  let sum = 0;
  for (let bit = 0, rest = vector >>> 0; rest !== 0; bit++, rest >>>= 1)
    if ((rest & 1) === 1) sum ^= matrix[bit]!;
  return sum >>> 0;
}

const square = (matrix: Matrix): Matrix => matrix.map((row) => times(matrix, row));
