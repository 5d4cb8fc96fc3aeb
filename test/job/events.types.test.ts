import { expectTypeOf } from 'expect-type';
import type { JobEvent } from '../../src/index.js';
import type { OperatorEvent } from '../../src/entries/operators.js';

/** Never run: the compiler is the test. */
export function types(event: JobEvent): string {
  if (event.type === 'restarting') {
    expectTypeOf(event).toEqualTypeOf<Extract<JobEvent, { type: 'restarting' }>>();
    expectTypeOf(event.delayMs).toEqualTypeOf<number>();
    expectTypeOf(event.operator).toEqualTypeOf<string | undefined>();
    expectTypeOf(event.offset).toEqualTypeOf<number | undefined>();
  }
  if (event.type === 'checkpoint-failed') expectTypeOf(event.waitingFor).toEqualTypeOf<readonly string[]>();
  if (event.type === 'committed') expectTypeOf(event.records).toEqualTypeOf<number>();
  if (event.type === 'skipped') expectTypeOf(event.offset).toEqualTypeOf<number>();
  if (event.type === 'reported') expectTypeOf(event.event).toEqualTypeOf<OperatorEvent>();
  // @ts-expect-error No event has this type.
  if (event.type === 'no-such-type') return '';
  // @ts-expect-error Only some have this field.
  expectTypeOf(event.delayMs).toBeNever();
  expectTypeOf<string>().not.toExtend<JobEvent['type']>();
  return event.type;
}

test('the types above hold', () => {
  expect(types).toBeInstanceOf(Function);
});
