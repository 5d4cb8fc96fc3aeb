import { decodeLatest, encodeLatest } from '#src/sinks/file/fileManifest.js';
import { mutated } from '../mutate.js';
import { target } from '../target.js';

const latest = encodeLatest({
  version: 1,
  jobId: 'abcdefghijkl',
  sink: 'out',
  epoch: 3,
  checkpoint: 42,
  manifest: '0000000003-0000000000000042.json',
});

export const fileManifestTargets = [
  target({
    name: 'latest.json of a sink',
    errors: [],
    draw: (random) => mutated(random, latest),
    run: (bytes: Buffer) => {
      const decoded = decodeLatest(bytes);
      if (decoded !== undefined) encodeLatest(decoded);
    },
  }),
];
