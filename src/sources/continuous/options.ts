import { isObservable, type Observable } from 'rxjs';
import { checkOptions, oneOf, required, type OptionNames } from '../../config/checkOptions.js';
import { InvalidOption, parseDuration, type Duration } from '../../config/units.js';
import type { ContinuousSettings } from './continuous.js';

/** How a continuous source of `files` finds new objects. */
export interface DiscoverOptions {
  /**
   * How often the URIs are listed, from the start of one listing to that of the next. A listing that takes longer delays
   * the next one. It costs one request for every 1,000 objects that are there.
   */
  readonly every: Duration;
  /**
   * Names of objects that may be new, such as those of a bucket's notifications: URIs or keys. Each costs a HEAD request and is
   * read at once. Only a hint: listings find what it does not name. It may complete; an error is reported by an event
   * `discovery-failed`.
   */
  readonly hints?: Observable<string>;
  /**
   * What happens to an object that is replaced after it was read, or while it is read. `ignore` (default): an event `input-changed` in
   * the former case, `ObjectChanged` in the latter. `read`: its new version (another ETag) is read from its start.
   */
  readonly changed?: 'ignore' | 'read';
  /**
   * The maximum time between the date of an object and its appearance. S3 dates a multipart object by the start of its
   * upload. Objects that appear later than that are not found. Checkpoints hold a digest (20 bytes) of each object that is younger.
   * Default 1 day.
   */
  readonly longestUpload?: Duration;
}

const names: OptionNames<DiscoverOptions> = {
  every: true,
  hints: true,
  changed: true,
  longestUpload: true,
};

/** 40 MB of digests in each checkpoint. */
const most = 2_000_000;

/** The options, checked and with their defaults. Errors: `InvalidOption`. */
export function discovering(options: DiscoverOptions): ContinuousSettings {
  required('files: discover', options);
  checkOptions('files', options, names, 'discover.');
  const { hints, changed = 'ignore', longestUpload = '1d' } = options;
  oneOf('files: discover.changed', changed, ['ignore', 'read']);
  if (hints !== undefined && !isObservable(hints))
    throw new InvalidOption('files: discover.hints', hints, 'an Observable');
  const every = parseDuration('files: discover.every', options.every);
  if (every === 0) throw new InvalidOption('files: discover.every', options.every, 'more than zero');
  return {
    every,
    hints,
    changed,
    longestUpload: parseDuration('files: discover.longestUpload', longestUpload),
    most,
  };
}
