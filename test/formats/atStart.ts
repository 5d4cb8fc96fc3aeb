import type { ObjectStart } from '../../src/formats/reader.js';

/** The start of an object. */
export const atStart: ObjectStart = { offset: 0, state: undefined };
