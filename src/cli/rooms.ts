import { StoreError } from '../store/errors.js';
import { isTooManyFiles, tooManyFiles } from './tooManyFiles.js';

/**
 * Loads the library, which help and version do not need, folder by folder (see `index.ts`). Error: `Unavailable` if there are
 * too many open files.
 */
export async function loadRooms() {
  try {
    const { load } = await import('../config/index.js');
    await import('../store/local/index.js');
    await import('../store/s3/index.js');
    const { openStores } = await import('../store/open.js');
    const { createOperations } = await import('../fs/operations/index.js');
    return { load, createOperations, openStores };
  } catch (error) {
    throw isTooManyFiles(error) ? new StoreError('Unavailable', tooManyFiles) : error;
  }
}
