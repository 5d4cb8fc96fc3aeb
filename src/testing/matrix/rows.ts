import { inputFailed, MatrixRun, type MatrixHooks, type MatrixSubject, type Step } from './run.js';

/** One row of the matrix: a behavior of an input, callback or subscriber, and what every operator does then. */
export interface MatrixRow {
  readonly name: string;
  readonly promise: string;
  /** Throws an `Error` if the operator breaks the promise. */
  readonly check: <A>(subject: MatrixSubject<A>) => void;
}

const ending: readonly Step[] = ['end', 'final', 'complete'];

/** Records, with a barrier after the first one. */
function script<A>({ records }: MatrixSubject<A>): readonly Step[] {
  return ['open', 0, 'barrier', ...records.slice(1).map((_, index) => index + 1)];
}

function must(holds: boolean, detail: string): asserts holds {
  if (!holds) throw new Error(`The operator breaks its promise: ${detail}`);
}

const run = <A>(subject: MatrixSubject<A>, steps: readonly Step[], hooks?: MatrixHooks): MatrixRun<A> =>
  new MatrixRun(subject, hooks).bring(steps);

/** Checks how the output ended, and that nothing is left. */
function checkOver(
  { errors, completions, alive }: Pick<MatrixRun<unknown>, 'errors' | 'completions' | 'alive'>,
  as: 'completed' | 'failed' | 'unsubscribed',
  what: string,
): void {
  must(
    errors.length === (as === 'failed' ? 1 : 0),
    errors.length === 1
      ? `${what}: it failed: ${String(errors[0])}`
      : `${what}: it failed ${errors.length} times ${errors.join()}`,
  );
  must(completions === (as === 'completed' ? 1 : 0), `${what}: it completed ${completions} times`);
  must(!alive, `${what}: it still listens to its input, or has a timer`);
}

function checkWhole<A>(subject: MatrixSubject<A>, steps: readonly Step[]): void {
  const all = run(subject, [...steps, ...ending]);
  checkOver(all, 'completed', 'at the end of the input');
  const given = steps.flatMap((step) => (typeof step === 'number' ? [subject.records[step] as A] : []));
  const expected = subject.output?.(given).map((each) => JSON.stringify(each));
  if (expected === undefined) return;
  must(all.records.join() === expected.join(), `expected ${expected.join()}; out came ${all.records.join()}`);
}

/** Elements sent within a call or delivery must be handled after the current element. */
function checkInside<A>(subject: MatrixSubject<A>, hook: keyof MatrixHooks, what: string): void {
  const steps = [...script(subject), ...ending];
  const calm = run(subject, steps, { [hook]: () => undefined });
  const times = hook === 'called' ? calm.calls : calm.out.length;
  for (let n = 0; n < times; n++) {
    for (const extra of [0, 'barrier', 'complete'] as const) {
      let at = 0;
      const nested = run(subject, steps, {
        [hook]: (inner: MatrixRun<unknown>, each: number) => {
          if (each !== n) return;
          at = inner.at;
          inner.send(extra);
        },
      });
      const expected = run(subject, [...steps.slice(0, at + 1), extra, ...steps.slice(at + 1)]);
      must(
        nested.whole === expected.whole,
        `${typeof extra === 'number' ? 'a record' : extra} inside ${what} ${n + 1}: expected ${expected.whole}; out came ${nested.whole}`,
      );
    }
    const failed = run(subject, steps, {
      [hook]: (inner: MatrixRun<unknown>, each: number) => {
        if (each === n) inner.send('error');
      },
    });
    checkOver(failed, 'failed', `an error inside ${what} ${n + 1}`);
    must(failed.errors[0] === inputFailed, `an error inside ${what} ${n + 1}: out came another`);
  }
}

function checkUnsubscribedInside<A>(subject: MatrixSubject<A>, hook: keyof MatrixHooks, what: string): void {
  const steps = [...script(subject), ...ending];
  const calm = run(subject, steps, { [hook]: () => undefined });
  const times = hook === 'called' ? calm.calls : calm.out.length;
  for (let n = 0; n < times; n++) {
    let out = 0;
    const gone = run(subject, steps, {
      [hook]: (inner: MatrixRun<unknown>, each: number) => {
        if (each !== n) return;
        inner.unsubscribe();
        out = inner.out.length;
      },
    });
    must(gone.out.length === out, `unsubscribed in ${what} ${n + 1}: more came out`);
    checkOver(gone, 'unsubscribed', `unsubscribed in ${what} ${n + 1}`);
    if (hook === 'called')
      must(gone.calls === n + 1, `unsubscribed in ${what} ${n + 1}: the callback was called again`);
  }
}

/**
 * The tests for every operator, one per row.
 *
 * @example
 * ```ts
 * import { matrix, type MatrixSubject } from 'millrace/testing';
 *
 * const subject: MatrixSubject<number> = {
 *   operator: (callback) => records(map((n: number) => (callback(n), n + 1))),
 *   records: [1, 2, 3],
 *   output: (given) => given.map((n) => n + 1),
 * };
 * for (const { check } of matrix) check(subject); // or a test for each row, with its `name`
 * ```
 */
export const matrix: readonly MatrixRow[] = [
  {
    name: 'an input that never emits',
    promise: 'Nothing is emitted, and no timer runs. An unsubscribe reaches the input.',
    check: (subject) => {
      const silent = run(subject, []);
      must(silent.whole === '', `out came ${silent.whole}`);
      silent.unsubscribe();
      checkOver(silent, 'unsubscribed', 'unsubscribed');
    },
  },
  {
    name: 'an empty input',
    promise: 'Without records it completes. Without Open it fails, as output would be missing.',
    check: (subject) => {
      checkWhole(subject, ['open']);
      checkOver(run(subject, ['complete']), 'failed', 'an input that completes before Open');
    },
  },
  {
    name: 'one record',
    promise: 'Its output is emitted, and then the completion, once.',
    check: (subject) => {
      checkWhole(subject, ['open', 0]);
    },
  },
  {
    name: 'many records',
    promise: 'Their output is emitted in order, and then the completion, once.',
    check: (subject) => {
      checkWhole(subject, script(subject));
    },
  },
  {
    name: 'an input that fails',
    promise: 'The same error is emitted once. Nothing follows it, and nothing is left.',
    check: (subject) => {
      const steps = script(subject);
      for (let length = 0; length <= steps.length; length++) {
        const before = run(subject, steps.slice(0, length));
        const failed = run(subject, [...steps.slice(0, length), 'error']);
        checkOver(failed, 'failed', `after ${length} elements`);
        must(failed.errors[0] === inputFailed, `after ${length} elements: another error came out`);
        must(
          failed.out.join() === before.out.join(),
          `after ${length} elements: more than the error came out`,
        );
      }
    },
  },
  {
    name: 'an input that never ends',
    promise: 'It does not complete by itself.',
    check: (subject) => {
      const steps = script(subject);
      const endless = run(subject, [...steps, ...steps.slice(1), ...steps.slice(1)]);
      must(endless.completions === 0, 'it completed');
      must(endless.errors.length === 0, `it failed: ${endless.errors.join()}`);
      endless.unsubscribe();
      checkOver(endless, 'unsubscribed', 'unsubscribed');
    },
  },
  {
    name: 'an early unsubscribe',
    promise:
      'After any element, and within any delivery or call: nothing more is emitted, no callback is called, nothing is left.',
    check: (subject) => {
      const steps = [...script(subject), ...ending.slice(0, 2)];
      for (let length = 0; length <= steps.length; length++) {
        const gone = run(subject, steps.slice(0, length), { called: () => undefined });
        gone.unsubscribe();
        const { calls, whole } = gone;
        gone.bring(steps.slice(length));
        checkOver(gone, 'unsubscribed', `after ${length} elements`);
        must(gone.whole === whole && gone.calls === calls, `after ${length} elements: it continued`);
      }
      checkUnsubscribedInside(subject, 'delivered', 'delivery');
      checkUnsubscribedInside(subject, 'called', 'call');
    },
  },
  {
    name: 'a callback that throws',
    promise: 'At any record, what it throws is emitted as the error, after earlier output. Nothing is left.',
    check: (subject) => {
      const steps = [...script(subject), ...ending];
      const { calls } = run(subject, steps, { called: () => undefined });
      for (let n = 0; n < calls; n++) {
        const thrown = new Error(`Call ${n + 1} failed.`);
        let before = 0;
        const failed = run(subject, steps, {
          called: (inner, each) => {
            if (each < n) return;
            before = inner.out.length;
            throw thrown;
          },
        });
        checkOver(failed, 'failed', `call ${n + 1}`);
        must(
          failed.errors[0] === thrown,
          `call ${n + 1}: another error came out: ${String(failed.errors[0])}`,
        );
        must(failed.calls === n + 1, `call ${n + 1}: the callback was called again`);
        must(failed.out.length === before, `call ${n + 1}: something came out of the record`);
      }
    },
  },
  {
    name: 're-entrance',
    promise:
      'Elements and completion sent within a delivery or call are handled after the current element. An error is emitted immediately.',
    check: (subject) => {
      checkInside(subject, 'delivered', 'delivery');
      checkInside(subject, 'called', 'call');
    },
  },
];
