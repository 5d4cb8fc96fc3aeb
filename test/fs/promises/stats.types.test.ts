import type { Stats } from 'node:fs';
import { expectTypeOf } from 'expect-type';
import { lstat, stat } from '../../../src/fs/promises/index.js';

/** Never run: the compiler is the test. */
export async function types(): Promise<void> {
  const told = await stat('s3://lake/a');
  expectTypeOf(told).toExtend<Stats>();
  expectTypeOf(told.size).toEqualTypeOf<number>();
  expectTypeOf(told.etag).toEqualTypeOf<string | undefined>();
  expectTypeOf(told.content?.type).toEqualTypeOf<string | undefined>();
  expectTypeOf(told.metadata?.['owner']).toEqualTypeOf<string | undefined>();
  expectTypeOf((await lstat('s3://lake/a')).storageClass).toEqualTypeOf<string | undefined>();
}

test('properties beyond Node’s stats are typed', () => {
  expect(types).toBeInstanceOf(Function);
});
