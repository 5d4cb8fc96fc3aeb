/**
 * Detects how a server encodes the keys in its listings. Listings are requested with `encoding-type=url`, since XML cannot
 * represent every key. Some servers use form encoding, with `+` for a space; some use URL encoding, where `+` is literal; some
 * ignore the parameter; and the response does not always claim the right one.
 *
 * So a page is decoded in every possible way. A response that claims to be encoded is, unless it contains characters that
 * every encoder escapes. In one with `+` and `%2B`, `+` is a space; in one with `+` and `%20`, it is literal. If the results
 * still differ, the same page is requested again without an encoding, and the result is remembered.
 */
const codings = {
  plain: (raw: string) => raw,
  url: (raw: string) => (isEncoded(raw) ? unescape(raw) : undefined),
  form: (raw: string) => (isEncoded(raw) ? unescape(raw.replaceAll('+', '%20')) : undefined),
} satisfies Record<string, (raw: string) => string | undefined>;

type Coding = keyof typeof codings;

const all = Object.keys(codings) as readonly Coding[];

/** The possible encodings of one bucket's listings. */
export class ListedKeys {
  #possible = all;

  /** The decoded keys of a page; `undefined` if ambiguous. `encoded`: the response claims to be. */
  decode(raw: readonly string[], encoded: boolean): readonly string[] | undefined {
    if (!raw.some((key) => /[%+]/.test(key))) return raw;
    const likely = likelyOf(raw);
    // If none fits any more, the server was replaced by another kind.
    const found = nonEmpty(readings(raw, this.#possible)) ?? readings(raw, all);
    this.#possible = found.map(({ coding }) => coding);
    const claimed = encoded ? nonEmpty(found.filter(({ coding }) => coding !== 'plain')) : undefined;
    const [first, ...others] = (claimed ?? found).filter(({ coding }) => likely.includes(coding));
    return others.every(({ keys }) => same(keys, first?.keys ?? [])) ? first?.keys : undefined;
  }

  /** Decodes a page by comparing it with the same page without an encoding; `undefined` if they have no key in common. */
  learn(raw: readonly string[], plain: readonly string[]): readonly string[] | undefined {
    // The bucket may have changed in between, and XML normalizes line ends.
    const known = new Set(plain.map(oneLineEnd));
    const scored = readings(raw, all).map((reading) => ({
      ...reading,
      found: reading.keys.filter((key) => known.has(oneLineEnd(key))).length,
    }));
    const most = Math.max(...scored.map(({ found }) => found));
    if (most <= 0) return undefined;
    const right = scored.filter(({ found }) => found === most);
    this.#possible = right.map(({ coding }) => coding);
    return right[0]?.keys;
  }
}

/** Whether `raw` is `name` in any encoding. */
export function echoes(raw: string, name: string): boolean {
  return all.some((coding) => codings[coding](raw) === name);
}

interface Reading {
  readonly coding: Coding;
  readonly keys: readonly string[];
}

/** The decoded keys under each encoding that can decode them all. */
function readings(raw: readonly string[], possible: readonly Coding[]): Reading[] {
  return possible.flatMap((coding) => {
    const keys = raw.map(codings[coding]).filter((key) => key !== undefined);
    return keys.length === raw.length ? [{ coding, keys }] : [];
  });
}

/** The encodings that a page with a `+` may have, judged by its other characters. */
function likelyOf(raw: readonly string[]): readonly Coding[] {
  const holds = (text: RegExp): boolean => raw.some((key) => text.test(key));
  if (!holds(/\+/) || holds(/%2b/i) === holds(/%20/)) return all;
  return all.filter((coding) => coding !== (holds(/%20/) ? 'form' : 'url'));
}

/** Whether it has none of the characters that every encoder escapes. Ceph RGW does not escape `|`. */
function isEncoded(text: string): boolean {
  return /^[!#-;=?-[\]_a-z|~]*$/.test(text);
}

/** `undefined` for an invalid escape. */
function unescape(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function oneLineEnd(key: string): string {
  return key.replace(/\r\n?/g, '\n');
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((key, i) => key === b[i]);
}

function nonEmpty<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}
