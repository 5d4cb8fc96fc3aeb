/**
 * Codecs: what lies between the stored bytes of an object and its records. `detect.ts` tells which one it is.
 *
 * A decoder is fed compressed chunks and read for decompressed ones, both at the reader's pace. It works off the main
 * thread and stops when it has `aheadBytes` waiting, so that what a small object inflates to never fills the memory.
 * A compressed object is a sequence of members (gzip) or frames (zstd), each of which can be decoded by itself: where a
 * member starts, in stored and in decompressed bytes, is known to the reader, who may begin a later run there.
 */
import type { Decoder, DecoderOptions } from './decoder.js';
import { Gunzipper } from './gzip.js';

export type { Decoder, DecoderOptions, MemberStart } from './decoder.js';

export type CodecName = 'none' | 'gzip';

/** A decoder for one pass over an object. */
export function gunzip(options: DecoderOptions): Decoder {
  return new Gunzipper(options);
}
