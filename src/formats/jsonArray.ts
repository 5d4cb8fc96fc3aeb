import { isUtf8 } from 'node:buffer';
import { checkOptions } from '../config/checkOptions.js';
import type { Json } from '../flow/index.js';
import { ElementCutter, isSkipped, type ArrayPlace } from './elementCutter.js';
import type { FileFormat } from './format.js';
import { jsonEncoder } from './jsonEncoder.js';
import { hasLongNumber } from './jsonNumbers.js';
import {
  jsonOptionNames,
  jsonParsers,
  reasonOf,
  type JsonParsers,
  type NdjsonOptions,
} from './jsonParsers.js';
import type { Malformed, ObjectDecoder } from './reader.js';
import type { FileEncoder, FileOutput, Persisted } from './writer.js';

/**
 * An object that is one JSON array, of any size: its elements are the records. The rules of `ndjson` apply to each element, those for
 * numbers included. Values are written as `ndjson` writes them, between brackets.
 *
 * An element is malformed if it is not JSON, not UTF-8, nested too deeply, or rejected by the schema, and so is what follows the
 * array. An object that is not an array is one malformed record.
 *
 * Errors: `AsyncSchema` (the schema validates asynchronously), `NotJson` (a written record has no JSON form),
 * `InvalidOption`.
 *
 * @example
 * ```ts
 * const visits = files('s3://lake/exports/*.json', { format: jsonArray<Visit>() });
 * ```
 */
export function jsonArray<T>(options: NdjsonOptions<T> = {}): FileFormat<T> {
  checkOptions('jsonArray', options, jsonOptionNames);
  const parsers = jsonParsers('jsonArray', options);
  const encode = jsonEncoder();
  return {
    name: 'json array',
    extension: '.json',
    text: true,
    restore: 'closing',
    decoder: ({ state }) => new ArrayDecoder(parsers, (state as ArrayPlace | undefined) ?? 'before'),
    isState: (state) => state === 'before' || state === 'in' || state === 'after',
    open: (out) => new ArrayEncoder(encode, out),
  };
}

class ArrayDecoder<T> implements ObjectDecoder<T> {
  readonly #parsers: JsonParsers<T>;
  readonly #cutter: ElementCutter;
  /** At the start of the next block. */
  #place: ArrayPlace;

  constructor(parsers: JsonParsers<T>, place: ArrayPlace) {
    this.#parsers = parsers;
    this.#cutter = new ElementCutter(place);
    this.#place = place;
  }

  first(bytes: Buffer, from: number, to: number): number {
    return this.#cutter.first(bytes, from, to);
  }

  last(bytes: Buffer, from: number, to: number): number {
    return this.#cutter.last(bytes, from, to);
  }

  decode(
    block: Buffer,
    start: number,
    line: number,
    on: (record: T) => void,
    malformed: (bad: Malformed) => void,
  ): number {
    this.#cutter.takeLines();
    const elements = new ElementCutter(this.#place);
    let lines = 0;
    for (let at = 0; at < block.length;) {
      const before = this.#place;
      const cut = elements.first(block, at, block.length);
      const end = cut < 0 ? block.length : cut;
      const from = startOf(block, at, end, before);
      const to = endOf(block, from, cut < 0 ? end : end - 1);
      const after = elements.place;
      // What does not end is reported here.
      this.#place = elements.placeAtEnd;
      const result =
        cut < 0 ? endless(before, after, from === to) : this.#element(block, from, to, block[end - 1]);
      if (typeof result === 'string') {
        malformed({
          offset: start + from,
          length: to - from,
          line: line + lines + linesIn(block, at, from),
          text: block.toString('utf8', from, to),
          reason: result,
        });
      } else if (result !== undefined) on(result.record);
      lines += linesIn(block, at, end);
      at = end;
    }
    return lines;
  }

  dropped(): number {
    this.#place = this.#cutter.placeAtEnd;
    return this.#cutter.takeLines();
  }

  missing(): string | undefined {
    return this.#place === 'in' ? unended : undefined;
  }

  state(): Json {
    return this.#place;
  }

  /** A string if the element is malformed; `undefined` if there is none. */
  #element(
    block: Buffer,
    from: number,
    to: number,
    boundary: number | undefined,
  ): { readonly record: T } | string | undefined {
    if (boundary === brace) return 'the array ends with } instead of ]';
    if (from === to) return boundary === comma ? 'no value' : undefined;
    if (!isUtf8(block.subarray(from, to))) return 'not valid UTF-8';
    const { parse, parseLong } = this.#parsers;
    const parser = parseLong !== undefined && hasLongNumber(block, from, to) ? parseLong : parse;
    try {
      return { record: parser(block.toString('utf8', from, to)) };
    } catch (error) {
      return reasonOf(error);
    }
  }
}

const unended = 'the array does not end';
const comma = 0x2c;
const brace = 0x7d;

/** Why bytes without a boundary, the last ones of an object, are malformed. `undefined`: they are white space. */
function endless(before: ArrayPlace, after: ArrayPlace, blank: boolean): string | undefined {
  if (after === 'in') return unended;
  if (blank) return undefined;
  return before === 'after' ? 'it follows the array' : 'not an array';
}

/** Skips white space, and the opening bracket. */
function startOf(block: Buffer, from: number, to: number, place: ArrayPlace): number {
  let at = from;
  if (place === 'before') {
    while (at < to && isSkipped(block[at] ?? 0)) at++;
    if (block[at] === 0x5b) at++;
  }
  while (at < to && (block[at] ?? 0) <= 0x20) at++;
  return at;
}

function endOf(block: Buffer, from: number, to: number): number {
  let at = to;
  while (at > from && (block[at - 1] ?? 0) <= 0x20) at--;
  return at;
}

function linesIn(block: Buffer, from: number, to: number): number {
  let lines = 0;
  for (let at = from; at < to; at++) if (block[at] === 0x0a) lines++;
  return lines;
}

/** Writes one file. */
class ArrayEncoder implements FileEncoder<unknown> {
  readonly held = 0;
  readonly #encode: (record: unknown) => string;
  readonly #out: FileOutput;
  #started = false;

  constructor(encode: (record: unknown) => string, out: FileOutput) {
    this.#encode = encode;
    this.#out = out;
  }

  write(record: unknown): void {
    const text = this.#encode(record);
    this.#out.write(`${this.#started ? ',' : '['}\n${text}`);
    this.#started = true;
  }

  persist(): Persisted {
    return { closing: Buffer.from(closing) };
  }

  finish(): void {
    this.#out.write(this.#started ? closing : `[${closing}`);
  }
}

const closing = '\n]\n';
