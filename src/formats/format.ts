/**
 * A format turns records into bytes and bytes into records (`reader.ts`). Both directions are plain and synchronous; a
 * codec (`codec.ts`) sits between them and the store.
 */
import type { Reader } from './reader.js';
import type { RowWriter, Writer } from './writer.js';

export interface Format<T> extends RowWriter<T>, Reader<T> {}

/** A format of files that are more than their rows, such as a JSON array. It reads `T`, and writes `W`. */
export interface FileFormat<T, W = T> extends Writer<W>, Reader<T> {}
