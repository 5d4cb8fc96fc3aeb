/**
 * What a server does to the keys in its listings. Listings are asked for with `encoding-type=url`, since XML cannot carry
 * every key. Some servers encode as forms do, with `+` for a space; some as URLs, where `+` is itself; some ignore it; and
 * what an answer says about it is not always what was done.
 *
 * So a page is looked at in every way that is possible. An answer that claims to be encoded is, unless it holds what every
 * encoder escapes. One that holds `+` and `%2B` means a space by `+`; one that holds `+` and `%20` does not. Where the ways
 * differ still, the same page is asked for once more without an encoding, where keys can only be what they are; what that
 * teaches is kept.
 */
const codings = {
  plain: (raw: string) => raw,
  url: (raw: string) => (isEncoded(raw) ? unescape(raw) : undefined),
  form: (raw: string) => (isEncoded(raw) ? unescape(raw.replaceAll('+', '%20')) : undefined),
} satisfies Record<string, (raw: string) => string | undefined>;

type Coding = keyof typeof codings;

const all = Object.keys(codings) as readonly Coding[];

/** What is known of one server's listings of one bucket. */
export class ListedKeys {
  #possible = all;

  /** The keys that a page means; `undefined` where that is not clear. `encoded`: the answer claims to be. */
  decode(raw: readonly string[], encoded: boolean): readonly string[] | undefined {
    if (!raw.some((key) => /[%+]/.test(key))) return raw;
    const likely = likelyOf(raw);
    // A server that was replaced by another kind is learned anew.
    const found = nonEmpty(readings(raw, this.#possible)) ?? readings(raw, all);
    this.#possible = found.map(({ coding }) => coding);
    const claimed = encoded ? nonEmpty(found.filter(({ coding }) => coding !== 'plain')) : undefined;
    const [first, ...others] = (claimed ?? found).filter(({ coding }) => likely.includes(coding));
    return others.every(({ keys }) => same(keys, first?.keys ?? [])) ? first?.keys : undefined;
  }

  /** The keys that a page means, by the same page without an encoding; `undefined` if that holds none of them. */
  learn(raw: readonly string[], plain: readonly string[]): readonly string[] | undefined {
    // The bucket may have changed in between, and XML has one kind of line end.
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

/** Whether a name that was sent comes back, in whatever coding. */
export function echoes(raw: string, name: string): boolean {
  return all.some((coding) => codings[coding](raw) === name);
}

interface Reading {
  readonly coding: Coding;
  readonly keys: readonly string[];
}

/** The codings that the keys may be in, and what they mean then. */
function readings(raw: readonly string[], possible: readonly Coding[]): Reading[] {
  return possible.flatMap((coding) => {
    const keys = raw.map(codings[coding]).filter((key) => key !== undefined);
    return keys.length === raw.length ? [{ coding, keys }] : [];
  });
}

/** The codings that a page with a `+` may be in, by what else it holds. */
function likelyOf(raw: readonly string[]): readonly Coding[] {
  const holds = (text: RegExp): boolean => raw.some((key) => text.test(key));
  if (!holds(/\+/) || holds(/%2b/i) === holds(/%20/)) return all;
  return all.filter((coding) => coding !== (holds(/%20/) ? 'form' : 'url'));
}

/** Whether it holds nothing that every encoder escapes. Ceph RGW leaves `|` as it is. */
function isEncoded(text: string): boolean {
  return /^[!#-;=?-[\]_a-z|~]*$/.test(text);
}

/** `undefined` for an escape that means nothing. */
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
