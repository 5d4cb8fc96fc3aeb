import type { Arbitrary, default as FastCheck } from 'fast-check';

/** One element of an input, `wait` milliseconds after the one before. */
export type LawElement<A> = { readonly wait: number } & (
  | { readonly kind: 'record'; readonly value: A }
  | { readonly kind: 'barrier' | 'credit' | 'watermark' | 'end' }
);

export interface LawInput<A> {
  readonly elements: readonly LawElement<A>[];
  /** Where the teardown check unsubscribes: so many elements in. */
  readonly unsubscribeAfter: number;
}

/**
 * Inputs for {@link checkLaws}: records and signals at random distances, sometimes with an end.
 *
 * @param fc the `fast-check` module
 * @param record what the records are
 */
export function lawInputs<A>(fc: typeof FastCheck, record: Arbitrary<A>): Arbitrary<LawInput<A>> {
  const wait = fc.nat({ max: 3 });
  const element: Arbitrary<LawElement<A>> = fc.oneof(
    { weight: 6, arbitrary: fc.record({ wait, kind: fc.constant('record' as const), value: record }) },
    { weight: 2, arbitrary: fc.record({ wait, kind: fc.constant('barrier' as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({ wait, kind: fc.constantFrom('credit' as const, 'watermark' as const) }),
    },
  );
  return fc
    .tuple(fc.array(element, { maxLength: 25 }), fc.boolean(), fc.nat({ max: 25 }))
    .map(([elements, ends, unsubscribeAfter]) => ({
      elements: ends ? [...elements, { wait: 1, kind: 'end' }, { wait: 1, kind: 'barrier' }] : elements,
      unsubscribeAfter,
    }));
}
