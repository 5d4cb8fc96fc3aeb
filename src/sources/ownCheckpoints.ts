import { InvalidOption } from '../config/units.js';
import { hideUserInfo } from '../path/index.js';
import type { CheckpointFolder } from '../store/services.js';
import type { FileObject } from './discovery.js';

/**
 * Refuses objects of the job's checkpoint directory: a source with a URI around it would read what its own job writes, without end.
 * Errors: `InvalidOption`.
 *
 * @param uris those of the source
 */
export function refuseCheckpoints(
  id: string,
  uris: readonly string[],
  { key, root, store, uri }: Pick<FileObject, 'key' | 'root' | 'store' | 'uri'>,
  folders: readonly CheckpointFolder[],
): void {
  for (const { location, prefix } of folders) {
    if (store.uri !== location.store.uri || !key.startsWith(prefix)) continue;
    const covering = hideUserInfo(uris[root] ?? '');
    const rule = 'a URI that does not include the checkpoint directory';
    throw new InvalidOption(
      `files '${id}': uri`,
      covering,
      rule,
      `files '${id}': ${covering} includes ${uri}, which is in the checkpoint directory of the job, ${location.store.uri}/${prefix}. Use ${rule}, such as one with a folder or an extension, or set checkpoints.dir to a place beside the input.`,
    );
  }
}
