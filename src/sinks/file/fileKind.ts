import { uriBelow } from '../../path/index.js';
import { merge } from 'rxjs';
import type { Attempt } from '../../flow/index.js';
import type { TwoPhaseKind } from '../twoPhase/kind.js';
import { fileFields, memoryOf, type FileCommittable } from './committable.js';
import { abortLeftUploads } from './leftUploads.js';
import type { FileMemory } from './fileMemory.js';
import type { Manifests } from './manifests.js';
import type { Places } from './places.js';
import type { Publisher } from './publisher.js';

/** The codec of files in manifests. */
export const fileCodec = { name: 'file', version: 1, ...fileFields };

/** Files as a kind of committable. Publishing completes the file's upload, after creating it if necessary. */
export function fileKind(
  id: string,
  attempt: Attempt,
  places: Places,
  publisher: Publisher,
  memory: FileMemory,
  manifests: Manifests | undefined,
): TwoPhaseKind<FileCommittable> {
  return {
    ...fileCodec,
    check: (file) => {
      places.storeOf(file);
      publisher.check(file);
    },
    publish: (file) => memory.publishing(memoryOf(file), publisher.publish(file)),
    describe: (file) => ({
      uri: uriBelow(file.store, file.key),
      bytes: file.size,
      records: file.records,
      ...(file.times !== undefined && { times: file.times }),
    }),
    concurrency: 16,
    ...(manifests !== undefined && { groups: manifests }),
    memory: {
      get budget() {
        return memory.tails;
      },
      of: memoryOf,
    },
    sweep: (leftovers) =>
      merge(...places.all.map((place) => abortLeftUploads(id, attempt, place, leftovers))),
  };
}
