/**
 * The schema: one row for every configuration key, one file per family.
 *
 * Reading, validation, suggestions, documentation and tests use these rows. A row has the flat key of files, the environment and
 * `--set`, and the path of the typed, nested option. Keys with a `<name>` contain a name chosen by the user. It may have dots;
 * the longest known ending of the key decides where it ends.
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

/** A key and its row. */
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

/** Finds the row of a nested option's path, such as `['s3', 'retry', 'base']`. Of several rows, the first. */
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

/** Replaces `<…>` in a key or path by names. */
export function fill(pattern: string, names: readonly string[]): string {
  let next = 0;
  return pattern.replace(/<\w+>/g, () => names[next++] ?? '');
}

/** The environment variable of a key; `undefined` if it has none. */
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
    .filter(({ option }) => !option.includes('<'))
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

/** The match with the shortest first name, which has the longest known ending. */
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
