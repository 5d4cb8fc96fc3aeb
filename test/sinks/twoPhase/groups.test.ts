import { Subject, type Observable } from 'rxjs';
import { Groups } from '../../../src/sinks/twoPhase/groups.js';

/** Groups of words by their first letters. Announcements are answered one at a time. */
function opened() {
  const trace: string[] = [];
  const pending: Subject<void>[] = [];
  const groups = new Groups<string>(
    {
      of: (word) => word.charAt(0),
      announce: (name, words) => {
        trace.push(`${name}: ${words.join()}`);
        const answer = new Subject<void>();
        pending.push(answer);
        return answer;
      },
    },
    <T>(request: Observable<T>, answered: (answer: T) => void) => {
      request.subscribe(answered);
    },
    (uids) => trace.push(`confirmed ${[...uids].join()}`),
  );
  const add = (...words: string[]): void => {
    for (const word of words) groups.add(word, word);
  };
  const publish = (...words: string[]): void => {
    for (const word of words) groups.published(word, word);
  };
  return {
    groups,
    add,
    publish,
    answer: () => {
      pending.shift()?.next();
    },
    trace: () => trace.splice(0),
  };
}

test('a group is announced once all of it is published, and then confirmed as a whole', () => {
  const { groups, add, publish, answer, trace } = opened();
  add('a1', 'a2', 'a3');
  publish('a2', 'a1');
  expect(trace()).toEqual([]);
  expect(groups.waits).toBe(true);
  publish('a3');
  expect(trace()).toEqual(['a: a1,a2,a3']);
  expect(groups.waits).toBe(false); // only for the answer
  answer();
  expect(trace()).toEqual(['confirmed a1,a2,a3']);
  expect(groups.waits).toBe(false);
});

test('groups are announced in the order of their names, one at a time', () => {
  const { groups, add, publish, answer, trace } = opened();
  add('b1', 'c1', 'a1');
  publish('c1', 'b1');
  expect(trace()).toEqual([]);
  publish('a1');
  expect(trace()).toEqual(['a: a1']);
  answer();
  expect(trace()).toEqual(['confirmed a1', 'b: b1']);
  answer();
  expect(trace()).toEqual(['confirmed b1', 'c: c1']);
  answer();
  expect(groups.waits).toBe(false);
});

test('what was published is announced as it was published', () => {
  const { groups, answer, trace } = opened();
  groups.add('a1', 'a1');
  groups.published('a1', 'a1 as published');
  answer();
  expect(trace()).toEqual(['a: a1 as published', 'confirmed a1']);
});
