/** Users in a pseudo-random order that is the same in every process. */
export function keyNames(count: number): string[] {
  return Array.from({ length: count }, (_, i) => keyName(i));
}

/**
 * The keys of records over `keys` users, uniformly distributed: the worst case for caches. Each is a separate flat
 * string, as a parser creates them, so that no lookup can compare pointers only.
 */
export function keySequence(keys: number, length: number): string[] {
  const sequence: string[] = [];
  let state = 0x2545f491; // xorshift32
  for (let i = 0; i < length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    sequence.push(keyName((state >>> 0) % keys));
  }
  return sequence;
}

const keyName = (i: number): string =>
  Buffer.from(`user-${(i * 2_654_435_761) % 4_294_967_296}`).toString('latin1');

/** Folds one updated value into a digest that costs next to nothing in a measured loop. */
export function fold(digest: number, value: number): number {
  return (Math.imul(digest, 31) + value) | 0;
}
