import { watermark } from '../flow/index.js';

/**
 * Executable marbles: a text file that specifies the behavior of an operator.
 *
 * ```
 * Signals keep their place among lifted records.
 *
 * operator: records(map((x) => x * 10))
 * a = 1
 * x = 10
 *
 * in:   O-a-1-a-E2|
 * out:  O-x-1-x-E2|
 * ```
 *
 * One character is one millisecond; groups `(ab)`, times such as `10ms`, spaces, `|` and `#` are as in RxJS. `O` is
 * Open, `E` End, a digit a Barrier, `C` a Credit, `W` the Watermark of time 0. Other letters are records, defined as
 * JSON by lines `a = …`, or Watermarks, defined by lines `w = W5` (of time 5) and `i = W5 idle`.
 *
 * Input lines: `in`; `in2` (a second input, `in2` in the operator's expression); `durable` (at a digit, that
 * checkpoint becomes durable and sinks may commit); `unsub` (at `!`). Lines that are compared: `out`, `acks`
 * (digits), `releases` (`C`), `confirms` (`c`), `amends` (`a`), `error` (the code of `#`). A line `restored from N:`
 * starts another attempt from what the previous one acked at barrier N.
 */
export interface MarbleFile {
  readonly title: string;
  /** A JavaScript expression; the runner evaluates it in its scope. */
  readonly operator: string;
  readonly values: Readonly<Record<string, unknown>>;
  readonly attempts: readonly MarbleAttempt[];
}

export interface MarbleAttempt {
  /** The checkpoint of the previous attempt to restore. */
  readonly from: number | undefined;
  readonly lines: ReadonlyMap<MarbleLine, string>;
}

const names = [
  'in',
  'in2',
  'out',
  'acks',
  'releases',
  'confirms',
  'amends',
  'durable',
  'unsub',
  'error',
] as const;
export type MarbleLine = (typeof names)[number];

/** Parses a `.marble` file. Throws a plain `Error` with the line that is malformed. */
export function parseMarbleFile(text: string): MarbleFile {
  const title: string[] = [];
  const values: Record<string, unknown> = {};
  const attempts: { from: number | undefined; lines: Map<MarbleLine, string> }[] = [];
  let current = { from: undefined as number | undefined, lines: new Map<MarbleLine, string>() };
  attempts.push(current);
  let operator: string | undefined;

  for (const raw of text.split('\n')) {
    const line = raw.trimEnd();
    const colon = line.indexOf(':');
    const name = line.slice(0, colon);
    const rest = line.slice(colon + 1).trim();
    const value = /^([a-zA-Z]) = (.+)$/.exec(line);
    const restored = /^restored from (\d):$/.exec(line);
    if (line === '' || line.startsWith('# ')) continue;
    if (operator === undefined && name !== 'operator') title.push(line);
    else if (name === 'operator') operator = rest;
    else if (value !== null) values[value[1] as string] = valueOf(value[2] as string);
    else if (restored !== null) {
      current = { from: Number(restored[1]), lines: new Map() };
      attempts.push(current);
    } else if (isLine(name)) current.lines.set(name, rest);
    else if (line.startsWith(' ') && operator !== '') operator = `${operator}\n${line}`;
    else throw new Error(`Not a line of a marble file: ${line}`);
  }
  if (operator === undefined) throw new Error('A marble file needs a line `operator: …`.');
  return { title: title.join(' '), operator, values, attempts };
}

function valueOf(text: string): unknown {
  const [, time, idle] = /^W(\d+)( idle)?$/.exec(text) ?? [];
  return time === undefined ? (JSON.parse(text) as unknown) : watermark(Number(time), idle !== undefined);
}

function isLine(name: string): name is MarbleLine {
  return (names as readonly string[]).includes(name);
}
