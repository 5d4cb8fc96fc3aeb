import { connect, filter, map, merge, type Observable } from 'rxjs';
import {
  createJob,
  deadLetter,
  fileSink,
  keyed,
  loadConfig,
  mergeFlows,
  ndjson,
  outboxSink,
  records,
  silentLogger,
  valueState,
  type FileSinkOptions,
  type FlowOperator,
  type Job,
  type RollCandidate,
} from 'millrace';
import type { Clock } from 'millrace/operators';
import type { Stores } from 'millrace/stores';
import { filesSource } from '#src/sources/files.js';
import { tableSink } from '../../examples/outbox/outbox.js';
import { Table } from '../../examples/outbox/table.js';
import { between } from './random.js';
import { outputFormats, type Scenario } from './scenario.js';
import { tableUri, type Event, type Output } from './world.js';

export const minimumPartSize = 256;

const prefetch = { window: 2, fragment: 700 };

/** The job of a scenario, and its leaf. Sizes are small, so that little input exercises every part. */
export function pipeline(
  scenario: Scenario,
  environment: { readonly clock: Clock; readonly random: () => number; readonly stores: Stores },
): { readonly job: Job; readonly leaf: Observable<unknown> } {
  const job = createJob({
    name: 'sim',
    checkpoints: {
      dir: scenario.entropy ? 'memory://lake/_entropy_/checkpoints' : 'memory://lake/checkpoints',
      interval: scenario.interval,
    },
    config: loadConfig({
      env: {},
      file: false,
      set: {
        'state.backend.s3.compaction-trigger': 3,
        ...(scenario.entropy ? { 's3.entropy.key': '_entropy_' } : {}),
      },
    }),
    restart: scenario.faults === undefined ? 'none' : { initial: 20, max: 100 },
    budget: 4096,
    logger: silentLogger,
    ...environment,
  });
  const { parallelism = 1, split } = scenario;
  const splits = split === undefined ? {} : { splits: { size: between(environment.random, 1, split) } };
  const common = { format: ndjson<Event>(), prefetch, parallelism, ...splits };
  const input =
    scenario.shape === 'single'
      ? job.source('raw', filesSource('memory://lake/raw/**', common))
      : mergeFlows(
          job.source('a', filesSource('memory://lake/raw/a/*', { ...common, onMalformed: 'skip' })),
          job.source(
            'b',
            filesSource('memory://lake/raw/b/*', {
              ...common,
              onMalformed: deadLetter(fileSink('rejects', 'memory://lake/rejects', small(ndjson()))),
              allowEmpty: true,
            }),
          ),
        );
  const leaf = input.pipe(
    records(map(({ id, source, user, partition }) => ({ id, source, user, partition }))),
    keyed('counts', {
      key: (event) => event.user,
      state: { seen: valueState(0) },
      onRecord: (event, { seen }) => [
        { ...event, count: seen.update((n) => n + 1), padding: '.'.repeat(scenario.padding) },
      ],
    }),
    output(scenario, environment.stores),
  );
  return { job, leaf };
}

function output(
  { output: to, rollsByClock, manifests }: Scenario,
  opened: Stores,
): FlowOperator<Output, never> {
  if (to === 'table') return tableSink('out', tableUri, { rows: 5, budget: 2048 });
  if (to === 'outbox') return outbox(opened);
  if (to !== 'files and outbox')
    return toFiles(to === undefined ? ndjson<Output>() : outputFormats[to], rollsByClock, manifests);
  const isForFiles = ({ partition }: Output): boolean => partition % 2 === 0;
  return connect((shared) =>
    merge(
      shared.pipe(records(filter(isForFiles)), toFiles(ndjson())),
      shared.pipe(records(filter((event) => !isForFiles(event))), outbox(opened)),
    ),
  );
}

function toFiles(
  format: FileSinkOptions<Output>['format'],
  byTime = false,
  manifests = false,
): FlowOperator<Output, never> {
  const options = small(format);
  return fileSink('out', 'memory://lake/out', {
    ...options,
    ...(byTime && { roll: { ...options.roll, ...byClock } }),
    ...(manifests && { manifests: { latest: true } }),
    partitionBy: ({ partition }) => `p=${partition}`,
  });
}

/** Batches for a table, some of them in journals. */
function outbox(opened: Stores): FlowOperator<Output, never> {
  const { store, key } = opened.open(tableUri);
  const table = new Table(store, key);
  return outboxSink<Output>('table', {
    publish: (rows, { jobId: job, ...mark }) => table.apply({ job, ...mark }, rows),
    maxBatch: { records: 5 },
    budget: 4096,
  });
}

const byClock = {
  age: 30,
  inactivity: 12,
  when: ({ now, openedAt, lastWriteAt }: RollCandidate) =>
    now < openedAt - 3_000_000 || now > lastWriteAt + 3_000_000,
};

function small<F>(format: F): {
  format: F;
  partSize: number;
  roll: { size: number };
  budget: number;
} {
  return {
    format,
    partSize: minimumPartSize,
    roll: { size: 4 * minimumPartSize },
    budget: 16 * minimumPartSize,
  };
}
