import { InvalidOption } from '../config/units.js';
import { hideUserInfo } from '../path/index.js';
import type { CheckpointFolder } from '../store/services.js';
import type { FileObject } from './discovery.js';

/**
 * Returns an error if an object is in the job's checkpoint directory: a source whose URI includes it would read what its own job
 * writes, without end.
 *
 * @param uris those of the source
 */
export function ownCheckpoint(
  id: string,
  uris: readonly string[],
  { key, root, store, uri }: Pick<FileObject, 'key' | 'root' | 'store' | 'uri'>,
  folders: readonly CheckpointFolder[],
): InvalidOption | undefined {
  for (const { location, prefix } of folders) {
    if (store.uri !== location.store.uri || !key.startsWith(prefix)) continue;
    const covering = hideUserInfo(uris[root] ?? '');
    const rule = 'a URI that does not include the checkpoint directory';
    return new InvalidOption(
      `files '${id}': uri`,
      covering,
      rule,
      `files '${id}': ${covering} includes ${uri}, which is in the checkpoint directory of the job, ${location.store.uri}/${prefix}. Use ${rule}, such as one with a folder or an extension, or set checkpoints.dir to a place beside the input.`,
    );
  }
  return undefined;
}
