import { count, flag, size, text } from './kinds.js';
import type { Row } from './row.js';

const KiB = 2 ** 10;
const MiB = 2 ** 20;
const GiB = 2 ** 30;

const budget = size({ least: MiB, most: 1024 * GiB, rule: "1 MiB to 1 TiB, such as '64MiB'" });

/** Transfers: parts, parallelism, memory, names. */
export const transfer: readonly Row[] = [
  {
    key: 's3.upload.min.part.size',
    kind: size({ least: 5 * MiB, most: GiB, rule: "5 MiB to 1 GiB, such as '8MiB'" }),
    fallback: '8MiB',
    option: 'transfer.partSize',
    doc: 'Part size of what sinks write; parts of very large files are larger. A part is in memory as a whole.',
  },
  {
    key: 's3.upload.max.concurrent.uploads',
    kind: count({ least: 1, most: 64, rule: '1 to 64' }),
    fallback: '4',
    option: 'transfer.uploadConcurrency',
    doc: 'Concurrent part uploads of one sink or one written file.',
  },
  {
    key: 's3.upload.memory-budget',
    kind: budget,
    fallback: '64MiB, or twice the largest part',
    option: 'transfer.uploadBudget',
    doc: 'Memory of a sink for what is not uploaded yet.',
  },
  {
    key: 's3.read.memory-budget',
    kind: budget,
    fallback: '64MiB',
    option: 'transfer.readBudget',
    doc: 'Memory for read-ahead that all readers of the same stores share: of `openObject`, `millrace/fs` and the operations.',
  },
  {
    key: 's3.read.buffer.size',
    kind: size({
      least: 64 * KiB,
      most: 4 * MiB,
      rule: "64 KiB to 4 MiB, such as '256KiB'; values out of bounds are clamped, with a warning",
      clamp: true,
    }),
    fallback: '256KiB',
    option: 'transfer.readBuffer',
    doc: 'Bytes that a read stream hands over at once, and reads ahead of its consumer.',
  },
  {
    key: 's3.bulk-copy.enabled',
    kind: flag,
    fallback: 'true',
    option: 'transfer.bulkCopy.enabled',
    doc: 'Many objects are copied at once; otherwise one after the other.',
  },
  {
    key: 's3.bulk-copy.max-concurrent',
    kind: count({
      least: 1,
      most: 10_000,
      rule: '1 to s3.connection.max; values out of bounds are clamped, with a warning',
      clamp: true,
    }),
    fallback: '16',
    option: 'transfer.bulkCopy.concurrency',
    doc: 'Objects that a bulk copy transfers concurrently.',
  },
  {
    key: 's3.async.enabled',
    kind: flag,
    fallback: 'true',
    option: 'transfer.parallel',
    doc: 'Parts and fragments of one transfer go in parallel; otherwise one request at a time.',
  },
  {
    key: 's3.entropy.key',
    kind: text('a string without ~ # @ * + % { } < > [ ] | " \\ or a backtick', /^[^~#@*+%{}<>[\]|"\\`]+$/),
    fallback: 'none',
    option: 'transfer.entropy.key',
    doc: 'Marker in the checkpoint directory: random characters replace it in the names of data, nothing elsewhere.',
  },
  {
    key: 's3.entropy.length',
    kind: count({ least: 1, most: 64, rule: '1 to 64' }),
    fallback: '4',
    option: 'transfer.entropy.length',
    doc: 'How many random characters replace the marker.',
  },
];
