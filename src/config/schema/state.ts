import { directory } from './checkpointing.js';
import { choice, count, flag, size, text } from './kinds.js';
import type { Row } from './row.js';

const MiB = 2 ** 20;
const folder = text('a path without a leading or trailing slash', /^[^/\s](.*[^/\s])?$/);

/** Keyed state and its location. */
export const state: readonly Row[] = [
  {
    key: 'state.backend',
    aliases: ['state.backend.type'],
    kind: choice(
      { s3: 's3' },
      's3: state is in memory while a job runs, and in segments beside the checkpoints; there is no other backend',
    ),
    fallback: 'wherever the checkpoints are',
    option: 'state.backend',
    doc: 'With `s3` a job refuses a checkpoint directory that is not on S3.',
  },
  {
    key: 'state.backend.s3.bucket',
    kind: text("a bucket's name", /^[^/\s:@]+$/),
    fallback: 'none',
    option: 'checkpoints.dir',
    doc: 'With the next two, another way to set `state.checkpoints.dir`: `s3://<bucket>/<base-path>/<checkpoint-prefix>`.',
  },
  {
    key: 'state.backend.s3.base-path',
    kind: folder,
    fallback: 'none',
    option: 'checkpoints.dir',
    doc: 'Folder of the checkpoints in the bucket.',
  },
  {
    key: 'state.backend.s3.checkpoint-prefix',
    kind: folder,
    fallback: '`checkpoints`',
    option: 'checkpoints.dir',
    doc: 'Folder of the checkpoints below the base path.',
  },
  {
    key: 'state.backend.s3.state-file-compression',
    kind: flag,
    fallback: 'true',
    option: 'state.compression',
    doc: 'Segments and exported entries are compressed with Snappy.',
  },
  {
    key: 'state.backend.s3.state-file-encryption',
    kind: flag,
    fallback: 'false: as `s3.sse.type`',
    option: 'state.encryption',
    doc: 'What is written to the bucket of the checkpoints, and exported or imported state, is encrypted with SSE-S3, unless `s3.sse.type` is set.',
  },
  {
    key: 'state.backend.s3.state-file-extension',
    kind: text(
      'a string that starts with a dot, without slashes, of at most 32 characters',
      /^\.[\w.-]{1,31}$/,
    ),
    fallback: '`.state`',
    option: 'state.extension',
    doc: 'Ends the names of segments and exported entries.',
  },
  {
    key: 'state.backend.s3.state-file-part-size',
    kind: size({ least: 5 * MiB, most: 1024 * MiB, rule: "5 MiB to 1 GiB, such as '10MiB'" }),
    fallback: '10MiB',
    option: 'state.partSize',
    doc: 'Larger segments and exported entries are uploaded in parts of about this size.',
  },
  {
    key: 'state.backend.s3.compaction-trigger',
    kind: count({ least: 2, most: 16, rule: '2 to 16' }),
    fallback: '8',
    option: 'state.compactionTrigger',
    doc: 'As many segments of about one size are merged into one. With more of them an entry is rewritten less often, and a restart reads more.',
  },
  {
    key: 'state.exports.dir',
    kind: directory,
    fallback: 'none: name it in `export(uri)`',
    option: 'state.exportDir',
    doc: 'Folder that state is exported to.',
  },
  {
    key: 'state.backend.s3.state-prefix',
    kind: folder,
    fallback: '`state`',
    option: 'state.exportDir',
    doc: 'Folder of exported state below the base path: with `state.backend.s3.bucket`, another way to set `state.exports.dir`.',
  },
  {
    key: 'state.backend.s3.savepoint-prefix',
    kind: folder,
    fallback: '`savepoints`',
    option: 'savepoints.dir',
    doc: 'Folder of the savepoints below the base path: with `state.backend.s3.bucket`, another way to set `state.savepoints.dir`.',
  },
];
