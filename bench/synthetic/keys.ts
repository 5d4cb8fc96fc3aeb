/** Users in a pseudo-random order that is the same in every process. */
export function keyNames(count: number): string[] {
  return Array.from({ length: count }, (_, i) => keyName(i));
}

/**
 * The keys of records over `keys` users, uniformly distributed: the worst case for caches. Each is a separate flat
 * string, as a parser creates them, so that no lookup can compare pointers only.
 */
export function keySequence(keys: number, length: number): string[] {
  return numberSequence(keys, length).map(keyName);
}

const keyName = (i: number): string => flat(`user-${(i * 2_654_435_761) % 4_294_967_296}`);

/** The name of an entry of a map. */
export const entryName = (i: number): string => flat(`page-${i}`);

const flat = (text: string): string => Buffer.from(text).toString('latin1');

/** Keys and names of records over `keys` maps of `names` entries each, as {@link keySequence}. */
export function entrySequence(
  keys: number,
  names: number,
  length: number,
): readonly (readonly [key: string, name: string])[] {
  return numberSequence(keys * names, length).map((entry) => [
    keyName(Math.floor(entry / names)),
    entryName(entry % names),
  ]);
}

/** Numbers below `limit` in a pseudo-random order that is the same in every process. */
export function numberSequence(limit: number, length: number): number[] {
  let state = 0x2545f491; // xorshift32
  return Array.from({ length }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  });
}

/** Folds one updated value into a digest that costs next to nothing in a measured loop. */
export function fold(digest: number, value: number): number {
  return (Math.imul(digest, 31) + value) | 0;
}
