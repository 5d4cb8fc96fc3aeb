import type { Row } from '../harness/row.js';
import { selftests } from './selftest.js';

export const rows: readonly Row[] = [];

/** Rows that only tests ask for. */
export const hidden: readonly Row[] = selftests;
