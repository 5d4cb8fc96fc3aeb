import type { Progress } from '../../fs/operations/index.js';
import { decodeKey } from '../../path/uri.js';
import { ending, printable } from './text.js';
import { count, counted, size, time } from './units.js';

/** The state of an operation. */
export interface Standing {
  /** The verb: `Copying`. */
  readonly doing: string;
  readonly progress: Progress;
  /** Bytes per second, if known. */
  readonly rate: number | undefined;
}

export interface LineStyle {
  readonly columns: number;
  /** Whether the terminal supports Unicode. */
  readonly unicode: boolean;
}

const widest = 30;
const narrowest = 8;

/** `Copying  62%  ━━━━━━──  1.2 of 2.0 GiB  104 MiB/s  8 s left  big.tar`: as much as fits, in order of importance. */
export function barLine(standing: Standing, { columns, unicode }: LineStyle): string {
  const { doing, progress } = standing;
  const part = partOf(progress);
  const head = part === undefined ? doing : `${doing} ${`${Math.floor(part * 100)}%`.padStart(4)}`;
  const tail = figures(standing);
  let line = [head, ...tail].join('  ');
  while (line.length > columns - 1 && tail.length > 0) {
    tail.pop();
    line = [head, ...tail].join('  ');
  }
  const room = columns - 1 - line.length;
  if (part !== undefined && room >= narrowest + 2) {
    const width = Math.min(widest, room - 2);
    line = [head, bar(part, width, unicode), ...tail].join('  ');
  }
  const name = nameOf(progress.uri);
  const left = columns - 1 - line.length - 2;
  return name === '' || left < 10 ? line : `${line}  ${ending(printable(name), left)}`;
}

/** `Copying: 1.2 GiB of 2.0 GiB (62%), 104 MiB/s, 8 s left`: without a terminal. */
export function plainLine(standing: Standing): string {
  const part = partOf(standing.progress);
  const [first = '', ...rest] = figures(standing);
  return `${standing.doing}: ${[first + (part === undefined ? '' : ` (${Math.floor(part * 100)}%)`), ...rest].join(', ')}`;
}

function figures({ progress: { objects, bytes }, rate }: Standing): string[] {
  const texts = [
    bytes.total === undefined ? size(bytes.done) : `${size(bytes.done)} of ${size(bytes.total)}`,
  ];
  if (rate !== undefined) texts.push(`${size(rate)}/s`);
  if (rate !== undefined && rate > 0 && bytes.total !== undefined && bytes.total > bytes.done)
    texts.push(`${time((bytes.total - bytes.done) / rate)} left`);
  if (objects.total === undefined) texts.push(counted(objects.done, 'object'));
  else if (objects.total !== 1) texts.push(`${count(objects.done)} of ${count(objects.total)} objects`);
  return texts;
}

function partOf({ objects, bytes }: Progress): number | undefined {
  const of = bytes.total === 0 ? objects : bytes;
  return of.total === undefined || of.total === 0 ? undefined : Math.min(1, of.done / of.total);
}

function bar(part: number, width: number, unicode: boolean): string {
  const full = Math.round(part * width);
  return (unicode ? '━' : '#').repeat(full) + (unicode ? '─' : '-').repeat(width - full);
}

function nameOf(uri: string): string {
  const bare = uri.replace(/\/$/, '');
  return decodeKey(bare.slice(bare.lastIndexOf('/') + 1));
}
