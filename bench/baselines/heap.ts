import type { Start } from '../harness/workload.js';
import { fold, keyNames, numberSequence } from '../synthetic/keys.js';

/** Sets timers in a binary heap, and takes them in the order of their times. Params: `timers`. */
export const binaryHeap: Start = (params) => {
  const names = keyNames(Number(params['timers']));
  const times = numberSequence(2 ** 31, names.length);
  return {
    round() {
      const heap: Timer[] = [];
      times.forEach((at, i) => {
        push(heap, { at, key: names[i]! });
      });
      let digest = 0;
      for (let timer = pop(heap); timer !== undefined; timer = pop(heap)) digest = fold(digest, timer.at);
      return Promise.resolve({ digest: String(digest), amount: names.length });
    },
  };
};

interface Timer {
  readonly at: number;
  readonly key: string;
}

function push(heap: Timer[], timer: Timer): void {
  let at = heap.length;
  heap.push(timer);
  while (at > 0) {
    const above = (at - 1) >>> 1;
    if (heap[above]!.at <= timer.at) break;
    heap[at] = heap[above]!;
    at = above;
  }
  heap[at] = timer;
}

function pop(heap: Timer[]): Timer | undefined {
  const [first] = heap;
  const last = heap.pop();
  if (first === undefined || last === undefined || first === last) return first;
  let at = 0;
  for (let child = 1; child < heap.length; child = 2 * at + 1) {
    if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child++;
    if (last.at <= heap[child]!.at) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = last;
  return first;
}
