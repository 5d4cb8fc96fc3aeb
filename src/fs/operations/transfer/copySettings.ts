import type { Transfer } from '../../../config/config.js';
import { InvalidOption, parseSize } from '../../../config/units.js';
import type { BulkCopyOptions } from '../../types.js';
import type { Clock } from '../../../flow/index.js';
import type { Allow } from '../../../job/memory/index.js';
import { BufferPool } from '../../../store/multipart/index.js';
import type { Place } from '../place.js';
import type { Cleanups } from './cleanups.js';
import { Containment } from './containment.js';
import type { CopySettings } from './object.js';
import { Window } from './window.js';

const MiB = 2 ** 20;

/** Bytes. S3 allows 5 GiB, but a part is one buffer, and hashing and writing take at most 2 GiB. */
const largestPart = 1024 * MiB;

/** Upper bound of the default memory. Bytes. */
const mostMemory = 512 * MiB;

/** Shared by all runs of operations. */
export interface Around {
  readonly cleanups: Cleanups;
  readonly clock: Clock;
  readonly open: (uri: string) => Place;
  readonly allow: Allow;
}

/**
 * Validates the options and fills in the defaults, for one run of an operation. Without `s3.async.enabled`, requests run one at
 * a time; without `s3.bulk-copy.enabled`, objects do. Throws `InvalidOption`.
 */
export function copySettingsOf(
  options: BulkCopyOptions & { readonly removesSource?: boolean },
  { bulkCopy, parallel, writePartSize }: Pick<Transfer, 'bulkCopy' | 'parallel' | 'writePartSize'>,
  { allow, cleanups, clock, open }: Around,
): CopySettings {
  const {
    overwrite = true,
    skipSame = true,
    skipExisting = false,
    resume = true,
    removesSource = false,
  } = options;
  const concurrency = options.concurrency ?? (parallel ? bulkCopy.concurrency : 1);
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > 10_000)
    throw new InvalidOption('concurrency', concurrency, 'a whole number from 1 to 10,000');
  const partSize = parseSize('partSize', options.partSize ?? writePartSize);
  if (partSize < 5 * MiB || partSize > largestPart)
    throw new InvalidOption('partSize', options.partSize, '5 MiB to 1 GiB');
  const enough = Math.max(partSize, Math.min(concurrency * partSize, mostMemory));
  const bytes = parseSize('memory', options.memory ?? enough);
  if (bytes < partSize) throw new InvalidOption('memory', options.memory, 'at least `partSize`');
  const memory = new BufferPool(bytes);
  return {
    window: new Window({
      requests: concurrency,
      bytes,
      floor: partSize,
      allow,
      resized: (limit) => {
        memory.resize(limit);
      },
    }),
    memory,
    cleanups,
    containment: new Containment(),
    clock,
    requestsAtOnce: concurrency,
    objectsAtOnce: bulkCopy.enabled ? concurrency : 1,
    partSize,
    overwrite,
    skipSame,
    skipExisting,
    removesSource,
    resume:
      resume === false ? undefined : { directory: typeof resume === 'string' ? open(resume) : undefined },
  };
}
