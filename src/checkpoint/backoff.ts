const first = 100;
const most = 10_000;

/** Milliseconds to wait before try `tries + 1`: doubling from 100 ms to 10 s, the upper half of it random. */
export function backoff(tries: number, random: () => number): number {
  const full = Math.min(most, first * 2 ** Math.min(tries - 1, 20));
  return full / 2 + (random() * full) / 2;
}
