import { avro } from 'millrace/avro';
import { csv, jsonArray } from 'millrace';
import { parquet, types } from 'millrace/parquet';
import { array, columns, gzipped, rows, whole } from '../support/encoders.js';
import { between, pick, seeded } from './random.js';

const avroSchema = {
  type: 'record',
  name: 'Output',
  fields: Object.entries({
    id: 'long',
    source: 'string',
    user: 'string',
    partition: 'int',
    count: 'long',
    padding: 'string',
  }).map(([name, type]) => ({ name, type })),
};

/** One of each way to be restored, compression around them, and the formats of files that have a beginning or an end. */
export const outputFormats = {
  array: array(),
  columns: columns(4),
  whole: whole(),
  'gzip of rows': gzipped(rows),
  'gzip of an array': gzipped(array()),
  'gzip of columns': gzipped(columns(4)),
  csv: csv(),
  'gzip of csv': gzipped(csv()),
  'json array': jsonArray(),
  avro: avro({ avroSchema, codec: 'deflate', block: 300 }),
  parquet: parquet({
    schema: {
      id: types.int32,
      source: types.string,
      user: types.string,
      partition: types.int32,
      count: types.double,
      padding: types.string,
    },
    rowGroup: { rows: 4 },
  }),
};

/** What happens to a process: it dies at a request, is stopped for a while, as by SIGSTOP, or is asked to end. */
export type Fate =
  /**
   * It dies at its n-th request. `before`: no request in flight reaches the store. `after`: all of them still do,
   * when its time has come, be it while the next process runs; nothing is answered.
   */
  | { readonly kind: 'crash'; readonly at: number; readonly when: 'before' | 'after' }
  /**
   * It is stopped at its n-th request and the next process starts. `late` milliseconds later that request reaches the
   * store; after `resume` milliseconds it continues, and gets all answers that arrived in the meantime.
   */
  | { readonly kind: 'pause'; readonly at: number; readonly late: number; readonly resume: number }
  /** It is asked to stop at its n-th request, as by SIGTERM, and the next process starts when it has. */
  | { readonly kind: 'stop'; readonly at: number };

/** Fractions of requests, 0 to 1, with transient faults. */
export interface FaultRates {
  readonly before: number;
  readonly after: number;
  readonly throttled: number;
  /** That take up to 60 ms longer. */
  readonly delayed: number;
}

/** One simulated life of a job: input on a memory store, processes that meet their fates, output to be counted. */
export interface Scenario {
  readonly seed: number;
  /**
   * `single`: one source. `merged`: two, joined, both with malformed lines: the first skips them, the second has a dead
   * letter sink.
   */
  readonly shape: 'single' | 'merged';
  readonly records: number;
  readonly objects: number;
  /** How many of them a source reads at the same time. Default 1. */
  readonly parallelism?: number;
  /** The maximum bytes of the splits in which a source reads an object; each life draws its size. Default: objects are read whole. */
  readonly split?: number;
  readonly partitions: number;
  /** Characters of filler in each record that is written. */
  readonly padding: number;
  /** Milliseconds of virtual time. */
  readonly interval: number;
  /** `false`: Complete rejects omitted parts, as Ceph does. */
  readonly completeSubset: boolean;
  /** Data objects have entropy in their keys. */
  readonly entropy: boolean;
  /**
   * Where the output goes: to files of lines, by default, to files of another format, as batches to a table, or some of it to files
   * and the rest to the table.
   */
  readonly output?: 'table' | 'outbox' | 'files and outbox' | keyof typeof outputFormats;
  /** Files are also rolled by age, by inactivity and by a predicate of the clock, which jumps at each look. */
  readonly rollsByClock?: boolean;
  /** Files have manifests, which a reader watches. */
  readonly manifests?: boolean;
  readonly faults?: FaultRates;
  /** For each process but the last. */
  readonly fates: readonly Fate[];
}

export const plain: Scenario = {
  seed: 1,
  shape: 'single',
  records: 200,
  objects: 3,
  partitions: 3,
  padding: 40,
  interval: 5,
  completeSubset: true,
  entropy: false,
  fates: [],
};

/** A scenario drawn from a seed: any shape, size and fates. */
export function drawScenario(seed: number): Scenario {
  const random = seeded(seed);
  const fates = Array.from({ length: between(random, 0, 5) }, () => drawFate(random));
  const faults = random() < 0.4 ? { faults: drawFaults(random) } : {};
  return {
    seed,
    shape: pick(random, ['single', 'merged']),
    records: between(random, 0, 200),
    objects: between(random, 1, 5),
    partitions: between(random, 1, 6),
    padding: pick(random, [0, 30, 200]),
    interval: between(random, 3, 40),
    completeSubset: random() < 0.5,
    fates,
    ...faults,
    entropy: random() < 0.3,
    ...(random() < 0.4 ? { parallelism: between(random, 2, 4) } : {}),
    ...(random() < 0.15 ? { split: between(random, 50, 3000) } : {}),
  };
}

/** Where the output of a scenario goes, and how its files are rolled and listed, drawn from a seed: half of them are files of lines. */
export function drawOutput(seed: number): Pick<Scenario, 'output' | 'rollsByClock' | 'manifests'> {
  const random = seeded(-seed);
  const kinds = Object.keys(outputFormats) as (keyof typeof outputFormats)[];
  const output =
    random() < 0.5
      ? undefined
      : pick<NonNullable<Scenario['output']>>(random, ['table', 'outbox', 'files and outbox', ...kinds]);
  const hasFiles = output !== 'table' && output !== 'outbox';
  return {
    ...(output !== undefined && { output }),
    ...(hasFiles && {
      rollsByClock: random() < 0.3,
      manifests: output !== 'files and outbox' && random() < 0.3,
    }),
  };
}

function drawFate(random: () => number): Fate {
  const at = between(random, 1, 150);
  const kind = random();
  if (kind < 0.15) return { kind: 'stop', at };
  return kind < 0.65
    ? { kind: 'crash', at, when: pick(random, ['before', 'after']) }
    : { kind: 'pause', at, late: between(random, 0, 150), resume: between(random, 0, 200) };
}

function drawFaults(random: () => number): FaultRates {
  const share = (): number => pick(random, [0, 0.02, 0.1]);
  return { before: share(), after: share(), throttled: share(), delayed: share() };
}
