import { closest, distance } from 'fastest-levenshtein';

/** The most similar word, unless more than a third of it differs. */
export function nearest(word: string, words: readonly string[]): string | undefined {
  if (word.length > 200 || words.length === 0) return undefined;
  const best = closest(word, words);
  return distance(word, best) <= Math.max(2, best.length / 3) ? best : undefined;
}
