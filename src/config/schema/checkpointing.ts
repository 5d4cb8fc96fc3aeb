import { choice, count, duration, flag, number, orNone, signingKeys, size, uri } from './kinds.js';
import { longestTimer, type Row } from './row.js';

const timer = (least: number, rule: string) => duration({ least, most: longestTimer, rule });
const positive = timer(1, "1 ms to 24 days, such as '10s'");

export const directory = uri(
  'a URI such as s3://bucket/checkpoints, without user or password',
  /^[a-z][a-z0-9+.-]*:\/\/[^@/\s]*(\/.*)?$/i,
);

/** Checkpoints, savepoints and their directories. */
export const checkpointing: readonly Row[] = [
  {
    key: 'state.checkpoints.dir',
    kind: directory,
    fallback: 'none: set it here or in code',
    option: 'checkpoints.dir',
    doc: "Directory of jobs' checkpoints.",
  },
  {
    key: 'execution.checkpointing.interval',
    kind: orNone(positive),
    fallback: '10s',
    option: 'checkpoints.interval',
    doc: 'Between two checkpoints. With `none` only the last one is taken, at the end of the input or at a stop.',
  },
  {
    key: 'execution.checkpointing.timeout',
    kind: positive,
    fallback: '10m',
    option: 'checkpoints.timeout',
    doc: 'Time for all operators to store what they froze.',
  },
  {
    key: 'execution.checkpointing.min-pause',
    kind: timer(0, "0 ms to 24 days, such as '10s'"),
    fallback: '0ms',
    option: 'checkpoints.minPause',
    doc: 'Between the end of one checkpoint and the start of the next.',
  },
  {
    key: 'execution.checkpointing.mode',
    kind: choice({ EXACTLY_ONCE: 'EXACTLY_ONCE', AT_LEAST_ONCE: 'AT_LEAST_ONCE' }),
    fallback: 'EXACTLY_ONCE',
    option: 'checkpoints.mode',
    doc: 'With AT_LEAST_ONCE `mergeFlows` holds no records back to align its inputs: less waiting, and records may count twice after a restart.',
  },
  {
    key: 'execution.checkpointing.tolerable-failed-checkpoints',
    kind: count({ least: 0, rule: '0 or more' }),
    fallback: '0',
    option: 'checkpoints.tolerableFailures',
    doc: 'Failed checkpoints in a row that are tolerated before the attempt fails.',
  },
  {
    key: 'execution.checkpointing.num-retained',
    kind: count({ least: 1, rule: '1 or more' }),
    fallback: '1',
    option: 'checkpoints.retained',
    doc: 'Checkpoints that are kept.',
  },
  {
    key: 'execution.checkpointing.fencing',
    kind: choice({ required: 'required', none: 'none' }),
    fallback: 'required',
    option: 'checkpoints.fencing',
    doc: 'With `none` a job runs on a store without conditional writes, where nothing keeps two processes from running it at the same time.',
  },
  {
    key: 'execution.checkpointing.sign.keys',
    kind: signingKeys,
    fallback: 'none: manifests are not signed',
    option: 'checkpoints.sign.keys',
    doc: 'Keys that sign the manifests of checkpoints, so that others who can write to the directory cannot steer a job. The first signs, all verify.',
  },
  {
    key: 'execution.checkpointing.sign.accept',
    kind: choice({ unsigned: 'unsigned', moved: 'moved' }),
    fallback: 'neither',
    option: 'checkpoints.sign.accept',
    doc: 'For one start, to take over a log: `unsigned` manifests, or those that were signed in another directory.',
  },
  {
    key: 'execution.source-budget',
    kind: size({ least: 1, rule: "1 byte or more, such as '16MiB'" }),
    fallback: '16MiB',
    option: 'transfer.sourceBudget',
    doc: 'Bytes of input that a source may be ahead of its slowest sink.',
  },
  {
    key: 'execution.memory-budget',
    kind: size({ least: 1, rule: "1 byte or more, such as '1GiB'" }),
    fallback: 'half of the memory of the machine or container',
    option: 'transfer.memoryBudget',
    doc: 'Memory that all jobs, readers and copies of a process share for what is read ahead, in flight and not uploaded yet.',
  },
  {
    key: 'execution.stalled-after',
    kind: orNone(positive),
    fallback: '30s',
    option: 'stalled.after',
    doc: 'A job that waits this long for one thing reports what it waits for. With `none` it does not.',
  },
  {
    key: 'state.savepoints.dir',
    kind: directory,
    fallback: 'none: name it in `job.savepoint(uri)`',
    option: 'savepoints.dir',
    doc: 'Directory in which `job.savepoint()` makes savepoints.',
  },
  {
    key: 'execution.savepoint.path',
    kind: directory,
    fallback: 'none',
    option: 'savepoints.from',
    doc: 'The savepoint that a job without checkpoints begins with.',
  },
  {
    key: 'execution.savepoint.ignore-unclaimed-state',
    kind: flag,
    fallback: 'false',
    option: 'savepoints.ignoreUnclaimed',
    doc: 'State in that savepoint of operators that the job does not have is dropped. Otherwise it is `VanishedOperator`.',
  },
];

/** Restarts after a failure. */
export const restart: readonly Row[] = [
  {
    key: 'restart-strategy.type',
    aliases: ['restart-strategy'],
    kind: choice(
      {
        'exponential-delay': 'exponential-delay',
        exponentialdelay: 'exponential-delay',
        none: 'none',
        off: 'none',
        disable: 'none',
      },
      'exponential-delay or none',
    ),
    fallback: 'exponential-delay',
    option: 'restart.type',
    doc: 'Whether a retryable failure is followed by another attempt.',
  },
  {
    key: 'restart-strategy.exponential-delay.initial-backoff',
    kind: positive,
    fallback: '1s',
    option: 'restart.initial',
    doc: 'Before the first restart.',
  },
  {
    key: 'restart-strategy.exponential-delay.max-backoff',
    kind: positive,
    fallback: '1m',
    option: 'restart.max',
    doc: 'No wait before a restart is longer.',
  },
  {
    key: 'restart-strategy.exponential-delay.backoff-multiplier',
    kind: number({ least: 1, rule: 'a number of 1 or more' }),
    fallback: '1.5',
    option: 'restart.multiplier',
    doc: 'Backoff multiplier.',
  },
  {
    key: 'restart-strategy.exponential-delay.jitter-factor',
    kind: number({ least: 0, most: 1, rule: 'a number from 0 to 1' }),
    fallback: '0.1',
    option: 'restart.jitter',
    doc: 'Random jitter, as a share of each wait, in either direction.',
  },
  {
    key: 'restart-strategy.exponential-delay.reset-backoff-threshold',
    kind: positive,
    fallback: '1h',
    option: 'restart.resetAfter',
    doc: 'An attempt that ran so long, and made a checkpoint durable, makes the next wait the first one again.',
  },
  {
    key: 'restart-strategy.exponential-delay.attempts-before-reset-backoff',
    kind: count({ least: 0, rule: '0 or more' }),
    fallback: 'no limit',
    option: 'restart.attempts',
    doc: 'Restarts in a row before the job gives up.',
  },
  {
    key: 'restart-strategy.checkpoint-timeouts',
    kind: count({ least: 1, rule: '1 or more' }),
    fallback: '3',
    option: 'restart.checkpointTimeouts',
    doc: 'Attempts that fail because a checkpoint timed out, with none durable between them, before the job gives up with `CheckpointsNeverDurable`.',
  },
];
