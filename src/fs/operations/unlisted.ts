import { oneOf } from '../../config/checkOptions.js';
import type { Glob } from '../../path/index.js';
import type { ListOptions, ListPage, Unlisted } from '../../store/objectStore.js';
import { linksFollowed, type Links } from '../../store/links.js';
import type { Skipping } from '../types.js';
import type { Failure } from './errors.js';
import type { Place } from './place.js';

/** What an operation does with what is in local directories and is no object: each is a failure, unless it is to be skipped. */
export class Exceptions {
  /** For every listing whose page is given to `of`. */
  readonly listing: Required<Pick<ListOptions, 'unlisted' | 'links'>>;
  readonly #links: Links;
  readonly #options: Skipping;

  /** @param links what happens to links by default */
  constructor(options: Skipping & { readonly links?: Links }, links: Links) {
    oneOf('links', options.links, Object.keys(linksFollowed));
    oneOf('unreadable', options.unreadable, ['fail', 'skip']);
    this.#options = options;
    this.#links = options.links ?? links;
    this.listing = { unlisted: 'report', links: linksFollowed[this.#links] };
  }

  /** The failures of a page; of a glob's, `concerns` are those that could match. */
  of(
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

/** What could match a glob: of a directory, what is below. */
export function couldMatch(glob: Glob): (key: string) => boolean {
  return (key) => (key.endsWith('/') ? glob.reaches(key) : glob.matches(key));
}
