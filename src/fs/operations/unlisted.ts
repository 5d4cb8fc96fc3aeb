import { oneOf } from '../../config/checkOptions.js';
import type { Glob } from '../../path/index.js';
import type { ListOptions, ListPage, Unlisted } from '../../store/objectStore.js';
import { linksFollowed, type Links } from '../../store/links.js';
import type { Skipping } from '../types.js';
import type { Failure } from './errors.js';
import type { Place } from './place.js';

/** Treats the entries of local directories that are not objects: each is a failure, unless the options skip it. */
export class UnlistedPolicy {
  /** The options of the listings whose pages are passed to `failuresOf`. */
  readonly listing: Required<Pick<ListOptions, 'unlisted' | 'links'>>;
  readonly #links: Links;
  readonly #options: Skipping;

  /** @param links the default for links */
  constructor(options: Skipping & { readonly links?: Links }, links: Links) {
    oneOf('links', options.links, Object.keys(linksFollowed));
    oneOf('unreadable', options.unreadable, ['fail', 'skip']);
    this.#options = options;
    this.#links = options.links ?? links;
    this.listing = { unlisted: 'report', links: linksFollowed[this.#links] };
  }

  /** The failures of a page, among the keys that `concerns` accepts. */
  failuresOf(
    place: Place,
    { unlisted = [] }: Pick<ListPage, 'unlisted'>,
    concerns: (key: string) => boolean = () => true,
  ): Failure[] {
    return unlisted
      .filter(({ key }) => concerns(key))
      .flatMap((one) => {
        const failure = { uri: place.uri(one.key), error: one.error };
        if (!this.#skips(one)) return [failure];
        this.#options.onSkipped?.(failure);
        return [];
      });
  }

  #skips({ reason }: Unlisted): boolean {
    return reason === 'link' ? this.#links === 'skip' : this.#options.unreadable === 'skip';
  }
}

/** Whether a key, or a key below a directory, could match a glob. */
export function couldMatch(glob: Glob): (key: string) => boolean {
  return (key) => (key.endsWith('/') ? glob.reaches(key) : glob.matches(key));
}
