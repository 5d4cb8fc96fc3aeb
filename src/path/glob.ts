/**
 * Globs over keys and paths: `*` matches within a name, `**` also across slashes, `?` any character except a slash, `[a-z]` and
 * `[!a]` classes (never a slash), `{a,b}` alternatives, which may nest, and `\` escapes the next character. Case-sensitive, by
 * code point.
 *
 * There are two flavors. `files` is like a shell or .gitignore: `**` followed by a slash, at the start of a name, also matches no
 * directory. `path` is java.nio's: that slash requires a directory, and a backslash in a class is literal.
 *
 * A glob is compiled to an automaton that reads the key once and tracks all states, so the time is bounded by the product of
 * both lengths.
 */
import { MillraceError, sharedByCopies } from '../errors.js';
import { InvalidUri, withoutUserInfo } from './errors.js';

/** A compiled glob. */
export interface Glob {
  /** The common prefix of all matching keys, for listings. */
  readonly prefix: string;
  /** Whether it has wildcards; if not, only `prefix` itself matches. */
  readonly wild: boolean;
  matches(key: string): boolean;
  /** Whether a key that starts with `start` can match. */
  reaches(start: string): boolean;
}

export interface GlobOptions {
  /** Default `files`. */
  readonly flavor?: 'files' | 'path';
}

/** The pattern is malformed. Code `InvalidGlob`. */
export class InvalidGlob extends MillraceError {
  static {
    sharedByCopies(this, 'InvalidGlob');
  }

  override readonly name = 'InvalidGlob';

  constructor(pattern: string, reason: string) {
    super(
      'InvalidGlob',
      `The glob "${pattern}" ${reason}. Put a backslash before a character that is meant literally.`,
    );
  }
}

/**
 * Compiles a glob. Errors: `InvalidGlob`.
 *
 * @example
 * ```ts
 * const glob = compileGlob('raw/**' + '/*.{ndjson,txt}');
 * glob.prefix; // 'raw/'
 * glob.matches('raw/a.txt'); // true
 * ```
 */
export function compileGlob(pattern: string, { flavor = 'files' }: GlobOptions = {}): Glob {
  const nodes = new Parser(pattern, flavor === 'files').parse();
  let literal = 0;
  while (nodes[literal]?.kind === 'literal') literal += 1;
  const prefix = nodes
    .slice(0, literal)
    .map((node) => (node.kind === 'literal' ? node.char : ''))
    .join('');
  const rest = nodes.slice(literal);
  const automaton = new Automaton(rest);
  return {
    prefix,
    wild: rest.length > 0,
    matches: (key) => key.startsWith(prefix) && automaton.matches(key.slice(prefix.length)),
    reaches: (start) =>
      prefix.startsWith(start) || (start.startsWith(prefix) && automaton.reaches(start.slice(prefix.length))),
  };
}

/**
 * Compiles the undecoded key of a URI (`splitUri`). Percent-encoded characters are literal: `%2A` is a star in a name, `*` a
 * wildcard. Errors: `InvalidGlob`, `InvalidUri`.
 */
export function compileUriGlob(key: string): Glob {
  const pattern = key.replace(/(?:%[0-9a-f]{2})+|%/gi, (escapes) => {
    try {
      return decodeURIComponent(escapes).replace(/[*?[\]{},\\!-]/g, '\\$&');
    } catch (cause) {
      throw new InvalidUri(
        `"${withoutUserInfo(key)}" holds a "%" that starts no valid escape. Write a percent sign as %25.`,
        cause,
      );
    }
  });
  return compileGlob(pattern);
}

type Node =
  | { readonly kind: 'literal'; readonly char: string }
  | { readonly kind: 'one'; readonly test: (char: string) => boolean }
  | { readonly kind: 'many'; readonly test: (char: string) => boolean }
  | { readonly kind: 'directories' }
  | { readonly kind: 'choice'; readonly of: readonly (readonly Node[])[] };

/** The maximum nesting of alternatives. */
const deepest = 500;

const inName = (char: string): boolean => char !== '/';
const anything = (): boolean => true;

class Parser {
  readonly #chars: readonly string[];
  #at = 0;
  #depth = 0;

  /** `lenient`: the flavor is `files`. */
  constructor(
    private readonly pattern: string,
    private readonly lenient: boolean,
  ) {
    this.#chars = Array.from(pattern);
  }

  parse(): Node[] {
    return this.#sequence(this.lenient, false);
  }

  /** `fresh`: at the start of a name, where `**` with a slash may match no directory. */
  #sequence(fresh: boolean, inChoice: boolean): Node[] {
    const nodes: Node[] = [];
    let start = fresh;
    for (;;) {
      const char = this.#chars[this.#at];
      if (char === undefined || (inChoice && (char === ',' || char === '}'))) return nodes;
      this.#at += 1;
      const node = this.#node(char, start);
      nodes.push(node);
      const slash = node.kind === 'literal' && node.char === '/';
      start = this.lenient && (slash || node.kind === 'directories');
    }
  }

  #node(char: string, start: boolean): Node {
    switch (char) {
      case '\\':
        return { kind: 'literal', char: this.#next('ends in a backslash') };
      case '?':
        return { kind: 'one', test: inName };
      case '*':
        return this.#stars(start);
      case '[':
        return { kind: 'one', test: this.#class() };
      case '{':
        return this.#choice(start);
      default:
        return { kind: 'literal', char };
    }
  }

  #stars(start: boolean): Node {
    const from = this.#at;
    while (this.#chars[this.#at] === '*') this.#at += 1;
    if (this.#at === from) return { kind: 'many', test: inName };
    if (!start || this.#chars[this.#at] !== '/') return { kind: 'many', test: anything };
    this.#at += 1;
    return { kind: 'directories' };
  }

  #choice(start: boolean): Node {
    const of: Node[][] = [];
    if (++this.#depth > deepest) throw new InvalidGlob(this.pattern, 'nests too many choices');
    for (;;) {
      of.push(this.#sequence(start, true));
      if (this.#next('has a "{" without its "}"') !== '}') continue;
      this.#depth -= 1;
      return { kind: 'choice', of };
    }
  }

  #class(): (char: string) => boolean {
    const unclosed = 'has a "[" without its "]"';
    const not = this.#chars[this.#at] === '!';
    if (not) this.#at += 1;
    const ranges: [number, number][] = [];
    for (let first = true; first || this.#chars[this.#at] !== ']'; first = false) {
      const low = this.#classChar(unclosed);
      let high = low;
      if (this.#chars[this.#at] === '-' && this.#chars[this.#at + 1] !== ']') {
        this.#at += 1;
        high = this.#classChar(unclosed);
      }
      if (high < low) throw new InvalidGlob(this.pattern, 'has a range that runs backwards');
      ranges.push([low, high]);
    }
    this.#at += 1;
    return (char) => {
      const point = char.codePointAt(0) ?? 0;
      return char !== '/' && ranges.some(([low, high]) => point >= low && point <= high) !== not;
    };
  }

  #classChar(unclosed: string): number {
    const char = this.#next(unclosed);
    return (this.lenient && char === '\\' ? this.#next(unclosed) : char).codePointAt(0) ?? 0;
  }

  #next(otherwise: string): string {
    const char = this.#chars[this.#at];
    if (char === undefined) throw new InvalidGlob(this.pattern, otherwise);
    this.#at += 1;
    return char;
  }
}

/** A state consumes a character (`test`), or has only epsilon transitions to `next`. */
interface State {
  readonly test: ((char: string) => boolean) | undefined;
  next: number[];
}

/** Thompson's construction, simulated with a set of states. */
class Automaton {
  readonly #states: State[] = [{ test: undefined, next: [] }];
  readonly #start: number;

  constructor(nodes: readonly Node[]) {
    this.#start = this.#sequence(nodes, 0);
  }

  matches(text: string): boolean {
    return this.#read(text).has(0);
  }

  reaches(start: string): boolean {
    return this.#read(start).size > 0;
  }

  /** The states after reading a string. */
  #read(text: string): ReadonlySet<number> {
    let now = new Set<number>();
    this.#enter(this.#start, now);
    for (const char of text) {
      const after = new Set<number>();
      for (const id of now) {
        const state = this.#states[id];
        if (state?.test?.(char) === true) for (const next of state.next) this.#enter(next, after);
      }
      if (after.size === 0) return after;
      now = after;
    }
    return now;
  }

  #enter(first: number, into: Set<number>): void {
    const pending = [first];
    for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
      if (into.has(id)) continue;
      into.add(id);
      const state = this.#states[id];
      if (state?.test === undefined) pending.push(...(state?.next ?? []));
    }
  }

  /** Builds from the end: returns the start state of the nodes, which lead to `to`. */
  #sequence(nodes: readonly Node[], to: number): number {
    return nodes.reduceRight((next, node) => this.#node(node, next), to);
  }

  #node(node: Node, to: number): number {
    switch (node.kind) {
      case 'literal':
        return this.#add((char) => char === node.char, [to]);
      case 'one':
        return this.#add(node.test, [to]);
      case 'many':
        return this.#loop(node.test, to);
      case 'directories':
        return this.#add(undefined, [
          to,
          this.#loop(
            anything,
            this.#add((char) => char === '/', [to]),
          ),
        ]);
      case 'choice':
        return this.#add(
          undefined,
          node.of.map((nodes) => this.#sequence(nodes, to)),
        );
    }
  }

  #loop(test: (char: string) => boolean, to: number): number {
    const fork = this.#add(undefined, []);
    const step = this.#add(test, [fork]);
    const state = this.#states[fork];
    if (state !== undefined) state.next = [to, step];
    return fork;
  }

  #add(test: State['test'], next: number[]): number {
    return this.#states.push({ test, next }) - 1;
  }
}
