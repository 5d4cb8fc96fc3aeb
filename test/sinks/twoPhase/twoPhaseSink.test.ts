import fc from 'fast-check';
import { of, Subject, type Observable } from 'rxjs';
import {
  open,
  signal,
  stores,
  type Attempt,
  type Committable,
  type TwoPhaseKind,
} from '../../../src/entries/operators.js';
import { createMemoryStore, type Stores } from '../../../src/entries/stores.js';
import { decodeCommittable, encodeCommittable } from '../../../src/sinks/twoPhase/committables.js';
import { Committer } from '../../../src/sinks/twoPhase/committer.js';
import type { PublishOutcome } from '../../../src/sinks/twoPhase/kind.js';
import type { MillraceError, Signal } from '../../../src/index.js';
import {
  checkLaws,
  lawInputs,
  memoryServices,
  SimulatedClock,
  TestAttempt,
} from '../../../src/testing/index.js';
import { tableSink } from '../../../examples/outbox/outbox.js';
import { Table } from '../../../examples/outbox/table.js';

interface Note {
  readonly uid: string;
  readonly step: number;
}

const notes = {
  name: 'note',
  version: 2,
  shapes: { step: (value: unknown) => typeof value === 'number' },
  encode: ({ uid, step }: Note) => ({ uid, step }),
  decode: (stored: Committable) => stored as Committable & Note,
};

const noteOf = (uid: string, step = 0): Committable => encodeCommittable(notes, { uid, step });

describe('a committable', () => {
  test('is read back', () => {
    expect(decodeCommittable(notes, noteOf('a', 3))).toMatchObject({ uid: 'a', step: 3 });
  });

  test.each([
    [{ kind: 'file' }, 'it is of kind "file", but the sink with its id publishes \'note\''],
    [{ kind: undefined }, "publishes 'note'"],
    [{ version: 1 }, 'it has version 1, but this millrace reads version 2'],
    [{ version: 3 }, 'it has version 3, but this millrace reads version 2'],
    [{ step: 'first' }, 'its field step is missing or malformed'],
    [{ step: undefined }, 'its field step is missing or malformed'],
  ])('that is %j instead is rejected', (wrong, why) => {
    const read = (): unknown => decodeCommittable(notes, { ...noteOf('a'), ...wrong });
    expect(read).toThrow(expect.objectContaining({ code: 'InvalidCommittable', retryable: false }));
    expect(read).toThrow(why);
  });
});

describe('what is pending', () => {
  /** A committer whose publications wait until they are answered. */
  function committing(concurrency: number, acceptsLost = false, memory?: TwoPhaseKind<Note>['memory']) {
    const log: string[] = [];
    const answers = new Map<string, (outcome: PublishOutcome<Note>) => void>();
    const kind: TwoPhaseKind<Note> = {
      ...notes,
      concurrency,
      ...(memory !== undefined && { memory }),
      describe: ({ uid }) => ({ uri: uid, bytes: 0, records: 0 }),
      publish: ({ uid, step }) => {
        log.push(`publish ${uid} ${step}`);
        return of({ is: 'mine' });
      },
    };
    const attempt: Pick<Attempt, 'amend' | 'confirm' | 'report'> = {
      confirm: (_, uid) => log.push(`confirm ${uid}`),
      amend: (_, { uid }) => log.push(`amend ${uid}`),
      report: ({ type }) => log.push(type),
    };
    const request = <T>(asked: Observable<T>, answered: (answer: T) => void): void => {
      asked.subscribe();
      answers.set(log.at(-1)!.split(' ')[1]!, answered as (outcome: PublishOutcome<Note>) => void);
    };
    const committer = new Committer('out', attempt, kind, request, acceptsLost);
    return { committer, log, answer: (uid: string, is: PublishOutcome<Note>) => answers.get(uid)!(is) };
  }

  test('is published a few at a time, each once, until it is confirmed', () => {
    const { committer, log, answer } = committing(2);
    const all = ['a', 'b', 'c'].map((uid) => noteOf(uid));
    committer.commit(all);
    committer.commit(all);
    expect(log).toEqual(['publish a 0', 'publish b 0']);
    answer('b', { is: 'mine' });
    committer.commit(all);
    expect(log.slice(2)).toEqual(['committed', 'confirm b', 'publish c 0']);
  });

  test('with a concurrency of 1 keeps its order, also after one with two steps', () => {
    const { committer, log, answer } = committing(1);
    committer.commit(['a', 'b'].map((uid) => noteOf(uid)));
    answer('a', { is: 'notYet', amended: { uid: 'a', step: 1 } });
    committer.commit([noteOf('a'), noteOf('b'), noteOf('c')]);
    expect(log).toEqual(['publish a 0', 'amend a']);
    committer.commit([noteOf('a', 1), noteOf('b'), noteOf('c')]);
    answer('a', { is: 'mine' });
    answer('b', { is: 'mine' });
    expect(log.filter((each) => each.startsWith('publish'))).toEqual([
      'publish a 0',
      'publish a 1',
      'publish b 0',
      'publish c 0',
    ]);
  });

  test('waits for memory that others use; one alone may use more', () => {
    const bytes: Record<string, number> = { a: 6, b: 0, c: 5, d: 20 };
    const { committer, log, answer } = committing(9, false, { budget: 10, of: ({ uid }) => bytes[uid] ?? 0 });
    committer.commit(Object.keys(bytes).map((uid) => noteOf(uid)));
    expect(log).toEqual(['publish a 0', 'publish b 0']);
    answer('a', { is: 'mine' });
    expect(log.at(-1)).toBe('publish c 0');
    answer('c', { is: 'mine' });
    expect(log.at(-1)).toBe('publish d 0');
  });

  test('and lost is an error, unless accepted', () => {
    const error = new Error('gone');
    const strict = committing(1);
    strict.committer.commit([noteOf('a')]);
    expect(() => strict.answer('a', { is: 'lost', error })).toThrow(error);
    const lenient = committing(1, true);
    lenient.committer.commit([noteOf('a')]);
    lenient.answer('a', { is: 'lost', error });
    expect(lenient.log).toEqual(['publish a 0', 'missing-committed', 'confirm a']);
    lenient.committer.commit([noteOf('b')]);
    expect(() => lenient.answer('b', { is: 'foreign', error })).toThrow(error);
  });
});

test('a sink opens only if it may publish the pending committables of the checkpoint', () => {
  const attempt = new TestAttempt({
    clock: new SimulatedClock(),
    services: memoryServices(),
    restored: new Map([['out', { snapshot: null, pending: [noteOf('a')] }]]),
  });
  const input = new Subject<Signal>();
  const seen: unknown[] = [];
  input.pipe(tableSink('out', 'memory://lake/table', { rows: 2, budget: 1000 })).subscribe({
    next: (each) => seen.push(each[signal]),
    error: (error: unknown) => seen.push((error as MillraceError).code),
  });
  input.next(open(['s'], attempt));
  expect(seen).toEqual(['InvalidCommittable']);
  expect(attempt.participants.size).toBe(0);
});

describe('a table after an outbox', () => {
  test('keeps every law', () => {
    fc.assert(
      fc.property(lawInputs(fc, fc.record({ n: fc.nat({ max: 9 }) })), (input) => {
        checkLaws(() => tableSink('out', 'memory://lake/table', { rows: 2, budget: 1000 }), input, {
          services: memoryServices,
          published: (services) => {
            const { store, key } = (services.get(stores) as Stores).open('memory://lake/table');
            let rows: readonly unknown[] = [];
            new Table(store, key).rows().subscribe((found) => (rows = found));
            return [rows];
          },
        });
      }),
    );
  });

  test('takes no batch twice, and none of an epoch that is over', () => {
    const table = new Table(createMemoryStore({ uri: 'memory://lake' }), 'table');
    const answers: unknown[] = [];
    const apply = (checkpoint: number, epoch: number, row: string): void => {
      table.apply({ job: 'j', sink: 's', checkpoint, epoch, sequence: 0 }, [row]).subscribe({
        complete: () => answers.push(row),
        error: (error: unknown) => answers.push((error as { readonly code: string }).code),
      });
    };
    apply(1, 1, 'a');
    apply(1, 2, 'a again');
    apply(2, 2, 'b');
    apply(3, 1, 'of a zombie');
    table.rows().subscribe((rows) => answers.push(rows));
    expect(answers).toEqual(['a', 'a again', 'b', 'LowerEpoch', ['a', 'b']]);
  });
});
