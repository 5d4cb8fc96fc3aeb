import { EMPTY, Observable } from 'rxjs';
import type { State } from '../../config/config.js';
import type { Clock } from '../../flow/index.js';
import type { CheckpointData } from '../../store/services.js';
import { RunWriter } from './runWriter.js';
import { SegmentEncoder } from '../segment/encoder.js';
import { limits as defaultLimits, type SegmentLimits, type SegmentSchema } from '../segment/format.js';
import { sliced, type Step } from '../slices.js';
import { ObjectUpload } from './upload.js';

/** A run of segments of an operator that go up as they are encoded. */
export function segmentRun(options: {
  readonly operator: string;
  readonly data: CheckpointData;
  readonly clock: Clock;
  readonly random: () => number;
  readonly files: Pick<State, 'compression' | 'extension' | 'partSize'>;
  readonly limits?: SegmentLimits | undefined;
  readonly schema: SegmentSchema;
}): RunWriter {
  const { operator, data, clock, random, schema, limits = defaultLimits } = options;
  const { extension, partSize, compression } = options.files;
  return new RunWriter(() => {
    const object = data.name(operator, extension);
    return {
      object,
      encoder: new SegmentEncoder(schema, compression, limits),
      upload: new ObjectUpload({ store: data.store, key: data.key(object), clock, random }, partSize),
    };
  });
}

/** Runs `step`, which writes a run, until it is done. If it stops before the run is finished, its upload is aborted. */
export function slicedRun(clock: Clock, step: () => Step, run: RunWriter): Observable<never> {
  return new Observable((out) => {
    out.add(() => {
      (run.abort() ?? EMPTY).subscribe({ error: () => undefined });
    });
    return sliced(clock, step).subscribe(out);
  });
}
