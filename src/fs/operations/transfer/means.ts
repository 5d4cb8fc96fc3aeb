import { InvalidOption, parseSize } from '../../../config/units.js';
import type { BulkCopyOptions } from '../../types.js';
import type { Place } from '../place.js';
import type { Cleanups } from './cleanups.js';
import type { Means } from './object.js';
import { Window } from './window.js';

const MiB = 2 ** 20;

/** Checks the options and fills in the defaults, for one run of an operation. Throws `InvalidOption`. */
export function meansOf(options: BulkCopyOptions, cleanups: Cleanups, open: (uri: string) => Place): Means {
  const { concurrency = 16, overwrite = true, skipSame = true, resume = true } = options;
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > 256)
    throw new InvalidOption('concurrency', concurrency, 'a whole number from 1 to 256');
  const partSize = parseSize('partSize', options.partSize ?? 8 * MiB);
  if (partSize < 5 * MiB || partSize > 5 * 1024 * MiB)
    throw new InvalidOption('partSize', options.partSize, '5 MiB to 5 GiB');
  const bytes = parseSize('memory', options.memory ?? concurrency * partSize);
  if (bytes < partSize) throw new InvalidOption('memory', options.memory, 'at least `partSize`');
  return {
    window: new Window({ requests: concurrency, bytes }),
    cleanups,
    requestsAtOnce: concurrency,
    partSize,
    overwrite,
    skipSame,
    resume:
      resume === false ? undefined : { directory: typeof resume === 'string' ? open(resume) : undefined },
  };
}
