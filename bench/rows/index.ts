import type { Row } from '../harness/row.js';
import { flow } from './flow.js';
import { read } from './read.js';
import { selftests } from './selftest.js';
import { state } from './state.js';

export const rows: readonly Row[] = [flow, read, state];

/** Rows that only tests ask for. */
export const hidden: readonly Row[] = selftests;
