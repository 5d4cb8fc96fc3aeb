/** Users and the order in which they come, the same in every process. */
export function keyNames(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `user-${(i * 2_654_435_761) % 4_294_967_296}`);
}

/** So many indexes into `keys` names, uniformly spread: the worst case for every cache. */
export function keySequence(keys: number, length: number): Uint32Array {
  const sequence = new Uint32Array(length);
  let state = 0x2545f491; // xorshift32
  for (let i = 0; i < length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    sequence[i] = (state >>> 0) % keys;
  }
  return sequence;
}

/** Folds one updated value into a digest that costs next to nothing in a measured loop. */
export function fold(digest: number, value: number): number {
  return (Math.imul(digest, 31) + value) | 0;
}
