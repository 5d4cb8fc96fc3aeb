import { initialCheckpoints, type CheckpointState } from './checkpointState.js';
import type { ClaimOptions } from './contract.js';
import { drawEntropy } from './dataPlace.js';
import { scopeOf } from './trust.js';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** The initial state of an attempt: draws its identity, and fills in defaults. */
export function firstState(options: ClaimOptions): CheckpointState {
  const { job, random, entropy, retained = 1, intervalMs } = options;
  const { minPauseMs = 0, timeoutMs = 600_000, tolerableFailures = 0 } = options;
  const scope = scopeOf(options);
  const self = {
    job,
    dir: scope.sign && scope.uri,
    jobId: drawId(random),
    nonce: drawId(random),
    retained,
    entropy: entropy && drawEntropy(entropy, random),
    from: options.from?.uris,
    keyGroups: options.keyGroups,
  };
  return initialCheckpoints(self, { intervalMs, minPauseMs, timeoutMs, tolerableFailures });
}

/** 12 URL-safe characters: 72 random bits. */
export function drawId(random: () => number): string {
  return Array.from({ length: 12 }, () => alphabet.charAt(Math.floor(random() * alphabet.length))).join('');
}
