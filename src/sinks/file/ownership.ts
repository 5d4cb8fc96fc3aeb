import { notOurs as notTheOne } from '../../store/multipart/index.js';
import type { ObjectInfo, UploadedPart } from '../../store/objectStore.js';
import type { FileCommittable } from './committable.js';
import { uidMetadata } from './uploads.js';

/** Why the object that stands where `file` belongs is not the file made of `parts`; `undefined` if it is. */
export function notOurs(
  info: ObjectInfo,
  { uid, size }: FileCommittable,
  parts: readonly UploadedPart[],
): string | undefined {
  return notTheOne(info, { mark: { name: uidMetadata, value: uid }, size, parts });
}
