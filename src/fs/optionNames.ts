import type { OptionNames } from '../config/checkOptions.js';
import type {
  AbortOptions,
  BulkCopyOptions,
  CopyOptions,
  CopyPair,
  ListOptions,
  ReadOptions,
  RemoveOptions,
  WriteOptions,
} from './types.js';

const skippingNames = { links: true, unreadable: true, onSkipped: true } as const;

export const listNames: OptionNames<ListOptions> = { ...skippingNames, pace: true };

export const removeNames: OptionNames<RemoveOptions> = {
  ...skippingNames,
  recursive: true,
  wholeBucket: true,
  mustExist: true,
};

export const copyNames: OptionNames<CopyOptions> = { ...skippingNames, overwrite: true };

export const bulkCopyNames: OptionNames<BulkCopyOptions> = {
  ...copyNames,
  skipSame: true,
  skipExisting: true,
  resume: true,
  concurrency: true,
  partSize: true,
  memory: true,
};

export const pairNames: OptionNames<CopyPair> = { from: true, to: true };

export const abortNames: OptionNames<AbortOptions> = { olderThan: true };

export const readNames: OptionNames<ReadOptions> = {
  range: true,
  ifMatch: true,
  fragment: true,
  window: true,
};

export const writeNames: OptionNames<WriteOptions> = {
  assumeObjectNotExists: true,
  ifMatch: true,
  preventConcurrentOverwrite: true,
  putOnlyIfModified: true,
  integrityCheck: true,
  metadata: true,
  content: true,
  partSize: true,
  inFlight: true,
};
