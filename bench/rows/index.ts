import type { Row } from '../harness/row.js';
import { flow } from './flow.js';
import { selftests } from './selftest.js';

export const rows: readonly Row[] = [flow];

/** Rows that only tests ask for. */
export const hidden: readonly Row[] = selftests;
