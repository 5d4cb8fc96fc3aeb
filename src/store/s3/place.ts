import type { ResolvedOptions } from './options.js';
import type { Sender } from './region.js';

/** Where a request goes. */
export interface Place {
  readonly client: Sender;
  readonly bucket: string;
  readonly signal: AbortSignal;
  readonly options: ResolvedOptions;
}

/** An upload under way, or what was one. */
export interface UploadPlace extends Place {
  readonly key: string;
  readonly uploadId: string;
}
