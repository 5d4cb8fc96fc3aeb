import { compositeEtag } from '../../store/helpers.js';
import type { ObjectInfo, UploadedPart } from '../../store/objectStore.js';
import type { FileCommittable } from './committable.js';
import { uidMetadata } from './uploads.js';

/** Why the object that stands where `file` belongs is not the file made of `parts`; `undefined` if it is. */
export function notOurs(
  info: ObjectInfo,
  file: FileCommittable,
  parts: readonly UploadedPart[],
): string | undefined {
  const uid = info.metadata?.[uidMetadata];
  const ours = uid === file.uid || (parts.every(hasMd5) && info.etag === compositeEtag(parts));
  if (!ours) {
    return uid === undefined ? 'it bears no mark of this job' : `it is marked ${uid}`;
  }
  return info.size === file.size ? undefined : `it has ${info.size} bytes, not ${file.size}`;
}

/** Under KMS a part's ETag is no MD5, and proves nothing about the object's. */
function hasMd5({ etag }: UploadedPart): boolean {
  return /^[0-9a-f]{32}$/i.test(etag);
}
