import type { CodecName } from '../formats/codec.js';
import type { GroupReader } from '../formats/groupReader.js';
import type { Reader } from '../formats/reader.js';
import type { Links } from '../store/links.js';
import type { Discover } from './discovery.js';
import type { FragmentLimits } from './fragmentBudget.js';

/** The options of `files`, checked and with their defaults. */
export interface FilesSettings<T> {
  readonly uris: readonly string[];
  readonly format: Reader<T> | GroupReader<T>;
  readonly discover: Discover;
  readonly limits: FragmentLimits;
  readonly onMalformed: 'fail' | 'skip' | 'deadLetter';
  readonly hidden: boolean;
  readonly maxLineBytes: number;
  readonly maxExpansion: number;
  readonly compression: CodecName | 'auto';
  readonly unreadable: 'fail' | 'skip';
  readonly vanished: 'fail' | 'skip';
  readonly links: Links;
  readonly allowEmpty: boolean;
  /** The maximum size of a split. Bytes; `undefined`: objects are read whole. */
  readonly split: number | undefined;
  /** The maximum number of bytes that one poll passes on, not counting its last record. */
  readonly slice: number;
}
