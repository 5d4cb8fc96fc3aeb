import { Observable, of, Subject, throwError, type Subscriber } from 'rxjs';
import {
  flowOperator,
  FlowSubscriber,
  open,
  systemClock,
  type RequestObserver,
  type Signal,
} from '../../src/flow/index.js';
import { TestAttempt } from '../../src/testing/index.js';

/** Handles each number with the test's callback, which may send more, fail or unsubscribe. */
class Scripted extends FlowSubscriber<number, number> {
  constructor(
    out: Subscriber<number | Signal>,
    private readonly script: (n: number, self: Scripted) => void,
  ) {
    super(out);
  }

  override onRecord(n: number): void {
    this.script(n, this);
  }

  later(work: () => void): void {
    this.turn(work);
  }

  ask<T>(request: Observable<T>, answered: ((answer: T) => void) | RequestObserver<T>): void {
    this.request(request, answered);
  }

  pause(): () => void {
    return this.holdInput();
  }

  giveUp(error: unknown): void {
    this.fail(error);
  }
}

function run(script: (n: number, self: Scripted, input: Subject<number | Signal>) => void) {
  const input = new Subject<number | Signal>();
  const log: unknown[] = [];
  const subscription = input
    .pipe(
      flowOperator<number, number>(
        (out) =>
          new Scripted(out, (n, self) => {
            log.push(n);
            script(n, self, input);
          }),
      ),
    )
    .subscribe({ error: (error: unknown) => log.push(error), complete: () => log.push('complete') });
  input.next(open(['in'], new TestAttempt({ clock: systemClock })));
  return { input, log, subscription };
}

test('elements and asynchronous work that arrive during a turn are queued in order', () => {
  const { input, log } = run((n, self, input) => {
    if (n !== 1) return;
    input.next(2);
    self.later(() => {
      log.push('answer');
      input.next(5);
    });
    input.next(3);
    log.push('over');
  });
  input.next(1);
  expect(log).toEqual([1, 'over', 2, 'answer', 3, 5]);
});

test('completion during a turn is queued after what arrived before it', () => {
  const { input, log, subscription } = run((n, self, input) => {
    if (n !== 1) return;
    input.next(2);
    self.later(() => log.push('answer'));
    input.complete();
    self.later(() => log.push('too late'));
    log.push('over');
  });
  input.next(1);
  expect(log).toEqual([1, 'over', 2, 'answer', 'complete']);
  expect(subscription.closed).toBe(true);
});

test.each([
  ['fails', (self: Scripted) => self.giveUp('broken'), ['broken']],
  ['unsubscribes', (self: Scripted) => self.unsubscribe(), []],
])('nothing queued is handled once the operator %s', (_, stop, last) => {
  const { input, log } = run((n, self, input) => {
    if (n === 1) {
      input.next(2);
      input.next(3);
      self.later(() => log.push('answer'));
    } else if (n === 2) stop(self);
  });
  input.next(1);
  expect(log).toEqual([1, 2, ...last]);
});

test('an error thrown for a queued element is the error of the flow', () => {
  const { input, log } = run((n, _, input) => {
    if (n === 1) input.next(2);
    else throw new Error('at 2');
  });
  input.next(1);
  expect(log).toEqual([1, 2, new Error('at 2')]);
});

describe('a request', () => {
  test('answered during a turn is queued, and so is its completion', () => {
    const { input, log } = run((n, self, input) => {
      if (n !== 1) return;
      input.next(2);
      self.ask(of('a', 'b'), { next: (answer) => log.push(answer), complete: () => log.push('all') });
      input.next(3);
      log.push('over');
    });
    input.next(1);
    expect(log).toEqual([1, 'over', 2, 'a', 'b', 'all', 3]);
  });

  test('answered later interrupts nothing', () => {
    const answers = new Subject<string>();
    const { input, log } = run((n, self) => {
      if (n === 1)
        self.ask(answers, (answer) => {
          log.push(answer);
          input.next(3);
          log.push('handled');
        });
      else if (n === 2) {
        answers.next('a');
        log.push('over');
      }
    });
    input.next(1);
    input.next(2);
    expect(log).toEqual([1, 2, 'over', 'a', 'handled', 3]);
  });

  test.each([
    [
      'its own error',
      (self: Scripted) =>
        self.ask(
          throwError(() => new Error('refused')),
          () => undefined,
        ),
      new Error('refused'),
    ],
    [
      'what the handler of an answer throws',
      (self: Scripted) =>
        self.ask(of(1), () => {
          throw new Error('misread');
        }),
      new Error('misread'),
    ],
    [
      'what the handler of its completion throws',
      (self: Scripted) =>
        self.ask(of(1), {
          complete: () => {
            throw new Error('misread');
          },
        }),
      new Error('misread'),
    ],
  ])('%s is the error of the flow', (_, ask, error) => {
    const { input, log, subscription } = run((n, self, input) => {
      if (n === 1) {
        ask(self);
        input.next(2);
      }
    });
    input.next(1);
    input.next(3);
    expect(log).toEqual([1, error]);
    expect(subscription.closed).toBe(true);
  });

  test('is aborted when the flow is unsubscribed, and is forgotten when it is answered', () => {
    let aborted = 0;
    const pending = new Observable<never>(() => () => aborted++);
    const { input, log, subscription } = run((n, self) => {
      if (n === 1) self.ask(pending, () => log.push('answered'));
      else self.ask(of(n), (answer) => log.push(-answer));
    });
    input.next(1);
    input.next(2);
    expect(aborted).toBe(0);
    subscription.unsubscribe();
    expect(aborted).toBe(1);
    expect(log).toEqual([1, 2, -2]);
  });
});

test('if no stack is left to deliver an error, it stays an exception, and can be delivered later', () => {
  const pad = (frames: number, work: () => void): void => (frames === 0 ? work() : pad(frames - 1, work));
  // Code that has never run needs stack to be compiled, and would fail sooner.
  for (let i = 0; i < 200; i++) run((_, self) => self.giveUp(i)).input.next(1);
  for (let frames = 0; frames < 300; frames++) {
    const { input, log } = run(() => pad(frames % 17, () => undefined));
    const descend = (): void => {
      input.next(1);
      pad(1, descend);
    };
    let thrown: unknown;
    try {
      pad(frames % 23, descend);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(RangeError);
    input.error(thrown);
    expect(log.at(-1)).toBe(thrown);
  }
});

describe('input that is held', () => {
  it('waits, completion included, while other work continues, and is handled in order', () => {
    const releases: (() => void)[] = [];
    const { input, log } = run((n, self, input) => {
      if (n === 1) {
        input.next(2);
        const release = self.pause();
        releases.push(() => {
          self.later(release);
        });
        self.later(() => {
          log.push('work');
        });
      }
      if (n === 3) {
        const release = self.pause();
        releases.push(() => {
          self.later(() => {
            log.push('done');
            release();
          });
          input.next(5);
        });
      }
    });
    input.next(1);
    input.next(3);
    input.next(4);
    expect(log).toEqual([1, 'work']);
    releases.shift()?.();
    expect(log).toEqual([1, 'work', 2, 3]);
    releases.shift()?.();
    input.next(6);
    expect(log).toEqual([1, 'work', 2, 3, 'done', 4, 5, 6]);
    input.complete();
    expect(log.at(-1)).toBe('complete');
  });

  it('completes after what was held', () => {
    let release = (): void => undefined;
    const { input, log } = run((n, self) => {
      if (n > 1) return;
      const over = self.pause();
      release = () => {
        self.later(over);
      };
    });
    input.next(1);
    input.next(2);
    input.complete();
    expect(log).toEqual([1]);
    release();
    expect(log).toEqual([1, 2, 'complete']);
  });

  it('ends with an error that arrives, and with one of its own', () => {
    for (const own of [false, true]) {
      const failure = new Error('broken');
      let release = (): void => undefined;
      const { input, log } = run((n, self) => {
        if (n === 2) throw failure;
        const over = self.pause();
        release = () => {
          self.later(over);
        };
      });
      input.next(1);
      input.next(2);
      input.next(3);
      if (own) release();
      else input.error(failure);
      release();
      expect(log).toEqual(own ? [1, 2, failure] : [1, failure]);
    }
  });
});
