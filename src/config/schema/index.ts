/**
 * The schema: every configuration key, one row each, one file a family.
 *
 * Reading, checking, suggesting, documenting and testing all go by these rows. A row names its key in the flat form that
 * files, the environment and `--set` use, and the place of its option among the typed, nested ones. Keys with a `<name>`
 * in them hold a name of the user's: what stands in its place may have dots, and the longest known ending decides where
 * it stops.
 */
import { buckets } from './buckets.js';
import { checkpointing, restart } from './checkpointing.js';
import { connection, spi } from './connection.js';
import { aws, credentials, delegation, encryption } from './credentials.js';
import type { Row } from './row.js';
import { state } from './state.js';
import { transfer } from './transfer.js';

export type { Kind } from './kinds.js';
export type { Row } from './row.js';

/** By the headings of the documentation. */
export const families: Readonly<Record<string, readonly Row[]>> = {
  'Servers and requests': connection,
  Credentials: credentials,
  Encryption: encryption,
  'One bucket': buckets,
  Transfers: transfer,
  'The names of the NIO file system': spi,
  'The names of AWS': aws,
  'Delegation tokens': delegation,
  Checkpoints: checkpointing,
  State: state,
  Restarts: restart,
};

export const schema: readonly Row[] = Object.values(families).flat();

/** A key as it was written, and the row that it belongs to. */
export interface Found {
  readonly row: Row;
  /** The key in its main spelling, with the names in it. */
  readonly key: string;
  /** The values of `<name>` and the like, in order. */
  readonly names: readonly string[];
}

/** Finds the row of a flat key. */
export function findKey(key: string): Found | undefined {
  const row = plainKeys.get(key);
  return row === undefined ? named(key) : { row, key: row.key, names: [] };
}

/** Finds the row of a nested option's path, such as `['s3', 'retry', 'base']`. Of several that mean the same, the first. */
export function findOption(path: readonly string[]): Found | undefined {
  const row = plainOptions.get(path.join('.'));
  if (row !== undefined) return { row, key: row.key, names: [] };
  for (const row of schema) {
    const steps = row.option.split('.');
    if (steps.length !== path.length) continue;
    if (!steps.every((step, i) => step.startsWith('<') || step === path[i])) continue;
    const names = path.filter((_, i) => steps[i]?.startsWith('<'));
    return { row, key: fill(row.key, names), names };
  }
  return undefined;
}

/** Puts names where a key or a path has `<…>`. */
export function fill(pattern: string, names: readonly string[]): string {
  let next = 0;
  return pattern.replace(/<\w+>/g, () => names[next++] ?? '');
}

/** The environment variable of a key; `undefined` for those that the environment cannot say. */
export function variableOf(row: Row, key: string = row.key): string | undefined {
  return row.where === undefined || row.where === 'anywhere' ? variableName(key) : undefined;
}

export function variableName(key: string): string {
  return key
    .replace(/[.-]/g, '_')
    .replace(/<\w+>|[^<>]+/g, (part) => (part.startsWith('<') ? part : part.toUpperCase()));
}

interface Pattern {
  readonly row: Row;
  readonly test: RegExp;
}

const plainKeys = new Map(
  schema.flatMap((row) =>
    row.key.includes('<') ? [] : [row.key, ...(row.aliases ?? [])].map((key) => [key, row] as const),
  ),
);

const plainOptions = new Map(
  schema
    .filter(({ option }) => option !== '' && !option.includes('<'))
    .toReversed()
    .map((row) => [row.option, row] as const),
);

const keyPatterns: readonly Pattern[] = schema
  .filter(({ key }) => key.includes('<'))
  .map((row) => ({
    row,
    test: new RegExp(
      `^${row.key
        .split(/<\w+>/)
        .map((part) => part.replace(/[.]/g, '\\.'))
        .join('(.+?)')}$`,
      's',
    ),
  }));

/** The match whose first name is the shortest: the longest known ending. */
function named(key: string): Found | undefined {
  let best: Found | undefined;
  for (const { row, test } of keyPatterns) {
    const names = test.exec(key)?.slice(1);
    if (names === undefined) continue;
    if (best !== undefined && (best.names[0]?.length ?? 0) <= (names[0]?.length ?? 0)) continue;
    best = { row, key, names };
  }
  return best;
}
