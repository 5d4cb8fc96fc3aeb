import { expectTypeOf } from 'expect-type';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Known, Source } from '../../src/entries/operators.js';
import { fileSink, files, ndjson, type Flow, type FlowOperator, type Job } from '../../src/index.js';

interface Visit {
  user: string;
}

/** Never run: the compiler is the test. Functions of users that work for any type of record. */
export function types(job: Job, visits: Flow<Visit>, schema: StandardSchemaV1<unknown, Visit>): void {
  function read<T>() {
    return files('s3://lake/raw', { format: ndjson<T>() });
  }
  function validated<T>(of: StandardSchemaV1<unknown, T>) {
    return files('s3://lake/raw', { format: ndjson({ schema: of }) });
  }
  function write<T>() {
    return fileSink<T>('out', 's3://lake/out', { format: ndjson<T>() });
  }
  function written<T>(flow: Flow<T>) {
    return flow.pipe(fileSink('out', 's3://lake/out', { format: ndjson() }));
  }
  /** The caller's type must be known, as with `job.source` itself. */
  function opened<T>(source: Source<T> & Known<T>): Flow<T> {
    return job.source('raw', source);
  }
  expectTypeOf(read<Visit>()).toEqualTypeOf<Source<Visit>>();
  expectTypeOf(validated(schema)).toEqualTypeOf<Source<Visit>>();
  expectTypeOf(write<Visit>()).toEqualTypeOf<FlowOperator<Visit, never>>();
  expectTypeOf(written(visits)).toEqualTypeOf<Flow<never>>();
  expectTypeOf(opened(read<Visit>())).toEqualTypeOf<Flow<Visit>>();
  // @ts-expect-error nothing is known of its records
  opened(read<unknown>());
}

test('the compiler checks this file', () => {
  expect(types).toBeInstanceOf(Function);
});
