import type { Row } from '../harness/row.js';
import { checkpoint } from './checkpoint.js';
import { flow } from './flow.js';
import { job } from './job.js';
import { read } from './read.js';
import { selftests } from './selftest.js';
import { state } from './state.js';
import { tax } from './tax.js';
import { write } from './write.js';

export const rows: readonly Row[] = [flow, read, write, state, tax, job, checkpoint];

/** Rows for tests. */
export const hidden: readonly Row[] = selftests;
