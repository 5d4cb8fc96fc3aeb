import type { ResolvedOptions } from './options.js';
import type { Sender } from './region.js';

/** The target of a request. */
export interface Place {
  readonly client: Sender;
  readonly bucket: string;
  readonly signal: AbortSignal;
  readonly options: ResolvedOptions;
}

/** The target of requests about an object. */
export interface ObjectPlace extends Place {
  readonly key: string;
}

/** The target of requests about an upload. */
export interface UploadPlace extends ObjectPlace {
  readonly uploadId: string;
}
