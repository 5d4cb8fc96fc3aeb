import type { ObjectStart } from '../../src/formats/reader.js';

/** The start of an object. */
export const atStart: ObjectStart = { object: 'memory://lake/a', offset: 0, state: undefined };
