import { Observable, Subscription } from 'rxjs';
import { systemClock } from '../../flow/index.js';
import { awsMinimumPartSize } from '../helpers.js';
import type { InPlace } from '../services.js';
import { nodeDisk, type Disk } from './disk.js';
import { io } from './io.js';
import { ObjectFiles } from './objectFiles.js';
import { Tree } from './tree.js';
import { UploadFiles } from './uploadFiles.js';
import { Uploads } from './uploads.js';

/** Writes the parts of uploads with a layout to the store of a directory. */
export function localInPlace(root: string, disk: Disk = nodeDisk(true)): InPlace {
  const tree = new Tree(root === '/' ? '' : root, disk);
  const files = new UploadFiles(disk, new ObjectFiles(disk), awsMinimumPartSize, true);
  const uploads = new Uploads(tree, disk, files, systemClock);
  return {
    claim: (key, uploadId) => io(root, () => uploads.claim(key, uploadId)),
    release: (key, uploadId) => void uploads.release(key, uploadId).catch(() => undefined),
    fillPart: (key, uploadId, number, fill) =>
      new Observable((out) => {
        const filling = new Subscription();
        out.add(filling);
        const filled = io(root, () =>
          uploads.fill(key, uploadId, number, (write) => completed(fill(write), filling)),
        );
        out.add(filled.subscribe(out));
      }),
  };
}

/** Resolves when the request completes. Ends it with `until`, and rejects then. */
function completed(request: Observable<unknown>, until: Subscription): Promise<void> {
  return new Promise((resolve, reject) => {
    until.add(() => reject(new Error('unsubscribed')));
    until.add(request.subscribe({ error: reject, complete: resolve }));
  });
}
