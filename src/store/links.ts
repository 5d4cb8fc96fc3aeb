import type { ListOptions } from './objectStore.js';

/**
 * The treatment of symbolic links in local directories: `follow` all, follow those to `files` and fail on others, `skip` all,
 * or `fail` on all. Links in the path of the URI itself are always followed.
 */
export type Links = 'follow' | 'files' | 'skip' | 'fail';

/** The corresponding option of listings. */
export const linksFollowed: Readonly<Record<Links, NonNullable<ListOptions['links']>>> = {
  follow: 'all',
  files: 'files',
  skip: 'none',
  fail: 'none',
};
