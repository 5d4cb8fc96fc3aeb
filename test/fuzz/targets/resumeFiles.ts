import { createMemoryStore, listAll, type ObjectInfo } from 'millrace/stores';
import { resumeFileKey, resumeFileOf } from '#src/fs/operations/transfer/resumeFile.js';
import type { Parts } from '#src/store/multipart/index.js';
import type { Place } from '#src/fs/operations/place.js';
import { between, pick } from '../../simulation/random.js';
import { now } from '../../simulation/world.js';
import { mutated, mutatedJson } from '../mutate.js';
import { target } from '../target.js';

const key = 'out/big';
const size = 10;
const parts: Parts = {
  size: 4,
  count: 3,
  range: (number) => ({ start: (number - 1) * 4, end: Math.min(number * 4, size) }),
};
const source: ObjectInfo = { key: 'in/big', size, etag: 'source', modified: 1 };

const written = {
  version: 1,
  to: `memory://lake/${key}`,
  uploadId: '$own',
  putId: 'put',
  etag: source.etag,
  size,
  partSize: parts.size,
};

/** A target with an upload of its own and one of another object, and beside it a changed resume file. */
function goOn(drawn: Buffer): void {
  const store = createMemoryStore({ uri: 'memory://lake', minimumPartSize: 1 });
  const ids = { $own: now(store.createUpload(key)).uploadId, $other: now(store.createUpload('x')).uploadId };
  for (const [i, body] of ['aaaa', 'bb', 'cc', 'dddd'].entries())
    now(store.uploadPart(key, ids.$own, i + 1, Buffer.from(body)));
  let body = drawn.toString('latin1');
  for (const [name, id] of Object.entries(ids)) body = body.replaceAll(name, id);
  now(store.put(resumeFileKey(key), Buffer.from(body, 'latin1')));

  const to: Place = {
    store,
    location: { store, key } as Place['location'],
    key,
    scheme: 'memory',
    uri: (other) => `memory://lake/${other}`,
  };
  const resumeFile = resumeFileOf({ from: to, source, to, key, seen: undefined }, parts, undefined);
  if (resumeFile === undefined) throw new TypeError('There is no resumeFile.');
  const begun = now(resumeFile.read());
  if (begun !== undefined && !('stale' in begun)) {
    const { to: uri, etag, size: bytes, partSize, uploadId } = JSON.parse(body) as typeof written;
    const same = uri === written.to && etag === source.etag && bytes === size && partSize === parts.size;
    if (!same || uploadId !== ids.$own) throw new TypeError('It continues with parts of another source.');
    if ([...begun.arrived.keys()].join() !== '1,3') throw new TypeError('It takes parts that are not whole.');
  }
  resumeFile.tidy().subscribe();
  let uploads = 0;
  store.listUploads({ prefix: '' }).subscribe((page) => (uploads = page.uploads.length));
  if (uploads !== 2) throw new TypeError('It ended an upload.');
  let left: readonly string[] = [];
  listAll(store, '').subscribe((page) => (left = page.map((each) => each.key)));
  const ours = begun !== undefined;
  if (ours !== (left.length === 0))
    throw new TypeError(`A ${ours ? 'resume file stays' : 'foreign object is deleted'}.`);
}

export const resumeFileTargets = [
  target({
    name: 'resume file of a copy',
    errors: [],
    draw: (random) => {
      const right = { ...written, uploadId: pick(random, ['$own', '$own', '$other']) };
      return between(random, 0, 2) === 0
        ? mutated(random, Buffer.from(JSON.stringify(right)))
        : Buffer.from(JSON.stringify(mutatedJson(random, right)));
    },
    run: goOn,
  }),
];
