/**
 * A format turns records into bytes and bytes into records (`reader.ts`). Both directions are plain and synchronous; a
 * codec (`codec.ts`) sits between them and the store.
 */
import type { Reader } from './reader.js';
import type { RowWriter } from './writer.js';

export interface Format<T> extends RowWriter<T>, Reader<T> {}
