import type { ListOptions } from './objectStore.js';

/**
 * What becomes of symbolic links in local directories: they are followed (`follow`), those to files are and those to
 * directories are failures (`files`), or all are skipped or failures. Those that a URI itself goes through are followed.
 */
export type Links = 'follow' | 'files' | 'skip' | 'fail';

/** What a listing is asked for. */
export const linksFollowed: Readonly<Record<Links, NonNullable<ListOptions['links']>>> = {
  follow: 'all',
  files: 'files',
  skip: 'none',
  fail: 'none',
};
