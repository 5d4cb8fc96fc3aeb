import type { Target } from '../target.js';
import { answerTargets } from './answers.js';
import { avroTargets } from './avro.js';
import { checkpointTargets } from './checkpoints.js';
import { fileManifestTargets } from './fileManifests.js';
import { formatTargets } from './formats.js';
import { nameTargets } from './names.js';
import { outboxTargets } from './outbox.js';
import { parquetTargets } from './parquet.js';
import { resumeFileTargets } from './resumeFiles.js';
import { recoverableTargets } from './recoverable.js';
import { exportTargets } from './exports.js';
import { stateTargets } from './state.js';
import { wireTargets } from './wire.js';
import { wholeJobTargets } from './wholeJob.js';

/** Every decoder of foreign input. */
export const targets: readonly Target[] = [
  ...checkpointTargets,
  ...stateTargets,
  ...exportTargets,
  ...formatTargets,
  ...avroTargets,
  ...parquetTargets,
  ...outboxTargets,
  ...fileManifestTargets,
  ...nameTargets,
  ...wireTargets,
  ...answerTargets,
  ...resumeFileTargets,
  ...recoverableTargets,
  ...wholeJobTargets,
];
