import { InvalidOption } from '../config/units.js';
import { hideUserInfo } from '../path/index.js';
import { parseUid } from '../path/uids.js';
import type { CheckpointFolder } from '../store/services.js';
import type { FileObject } from './discovery.js';

/** How the objects of a job are told from others. */
export interface Own {
  readonly jobId: string;
  readonly folders: readonly CheckpointFolder[];
}

/**
 * Returns an error if the job itself has written an object, as a file of a sink or as part of its checkpoints: a source whose URI
 * includes these would read what its own job writes, without end, or twice after a crash. Files of sinks are known by their names.
 *
 * @param uris those of the source
 */
export function ownObject(
  id: string,
  uris: readonly string[],
  { key, root, store, uri }: Pick<FileObject, 'key' | 'root' | 'store' | 'uri'>,
  { jobId, folders }: Own,
): InvalidOption | undefined {
  const refused = (rule: string, why: string, way: string): InvalidOption => {
    const covering = hideUserInfo(uris[root] ?? '');
    const advice = `Use ${rule}, such as one with a folder or an extension, or ${way} beside the input.`;
    const message = `files '${id}': ${covering} includes ${uri}, ${why}. ${advice}`;
    return new InvalidOption(`files '${id}': uri`, covering, rule, message);
  };
  for (const { location, prefix } of folders) {
    if (store.uri !== location.store.uri || !key.startsWith(prefix)) continue;
    return refused(
      'a URI that does not include the checkpoint directory',
      `which is in the checkpoint directory of the job, ${location.store.uri}/${prefix}`,
      'set checkpoints.dir to a place',
    );
  }
  const written = parseUid(key);
  if (written?.jobId !== jobId) return undefined;
  return refused(
    'a URI that does not include the output of the job',
    `a file of its own sink '${written.sink}'`,
    'give the sink a folder',
  );
}
