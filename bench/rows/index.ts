import type { Row } from '../harness/row.js';
import { bounded } from './bounded.js';
import { changes } from './changes.js';
import { checkpoint } from './checkpoint.js';
import { list, map } from './collections.js';
import { cpu } from './cpu.js';
import { discovery } from './discovery.js';
import { csv, gzip } from './encoded.js';
import { flow } from './flow.js';
import { job } from './job.js';
import { many } from './many.js';
import { parquet } from './parquet.js';
import { parts } from './parts.js';
import { parse } from './parse.js';
import { point } from './point.js';
import { postgres } from './postgres.js';
import { read } from './read.js';
import { readOpen } from './readOpen.js';
import { selftests } from './selftest.js';
import { small } from './small.js';
import { slices } from './slices.js';
import { state } from './state.js';
import { tax } from './tax.js';
import { timers } from './timers.js';
import { parallelism, splits } from './unequal.js';
import { write } from './write.js';

export const rows: readonly Row[] = [
  flow,
  read,
  small,
  bounded,
  discovery,
  readOpen,
  parallelism,
  splits,
  parse,
  write,
  state,
  map,
  list,
  timers,
  tax,
  job,
  checkpoint,
  changes,
  slices,
  point,
  gzip,
  csv,
  parts,
  many,
  parquet,
  postgres,
  cpu,
];

/** Rows for tests. */
export const hidden: readonly Row[] = selftests;
