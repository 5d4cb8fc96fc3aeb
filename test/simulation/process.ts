import { Observable, Subscription } from 'rxjs';
import { decorate, type ObjectStore, type StoreCall } from 'millrace/stores';
import type { Clock } from 'millrace/operators';
import type { Fate } from './scenario.js';

/** The kind of a request in the protocol. */
export type Kind = StoreCall['method'] | 'manifest' | 'journal' | 'segment';

export function kindOf({ method, key }: StoreCall): Kind {
  if (method !== 'put') return method;
  if (/\/log\/\d+$/.test(key)) return 'manifest';
  if (key.endsWith('.journal')) return 'journal';
  return key.endsWith('.state') ? 'segment' : 'put';
}

/**
 * Simulates a process around a job: timers of its clock and answers of its store wait while it is stopped, and are
 * lost once it is dead. Requests that have left it continue.
 */
export class SimulatedProcess {
  readonly clock: Clock;
  readonly store: ObjectStore;
  /** Its requests. */
  readonly requests: Kind[] = [];
  state: 'running' | 'stopped' | 'dead' = 'running';
  /** The request at which it died or was stopped. */
  struck: Kind | undefined;
  readonly #stop = new AbortController();
  readonly #world: Clock;
  readonly #fate: Fate | undefined;
  #waiting: (() => void)[] = [];
  readonly #underWay = new Subscription();

  constructor(network: ObjectStore, world: Clock, fate: Fate | undefined) {
    this.#world = world;
    this.#fate = fate;
    this.clock = {
      now: () => world.now(),
      after: (delay, work) => this.#timer(delay, work),
      yield: (work) => this.#timer(0, work),
    };
    this.store = decorate(network, (call, run) => this.#request(call, run));
  }

  /** For the job: fires when it is asked to stop. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Dies immediately. What is in flight is lost. */
  kill(): void {
    this.state = 'dead';
    this.#waiting = [];
    this.#underWay.unsubscribe();
  }

  /** As SIGCONT. */
  resume(): void {
    if (this.state !== 'stopped') return;
    this.state = 'running';
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const work of waiting) this.#turn(work);
  }

  #timer(delay: number, work: () => void): Subscription {
    const held = new Subscription();
    held.add(
      this.#world.after(delay, () => {
        this.#turn(() => {
          if (!held.closed) work();
        });
      }),
    );
    return held;
  }

  /** Runs `work` now, when the process continues, or never. */
  #turn(work: () => void): void {
    if (this.state === 'running') work();
    else if (this.state === 'stopped') this.#waiting.push(work);
  }

  #request<T>(call: StoreCall, run: Observable<T>): Observable<T> {
    return new Observable((out) => {
      const sent = new Subscription();
      this.#turn(() => {
        if (!sent.closed) sent.add(this.#send(call, run, out));
      });
      return sent;
    });
  }

  #send<T>(
    call: StoreCall,
    run: Observable<T>,
    out: { next(value: T): void; error(error: unknown): void; complete(): void },
  ): Subscription {
    const fate = this.requests.push(kindOf(call)) === this.#fate?.at ? this.#fate : undefined;
    if (fate !== undefined) this.struck = kindOf(call);
    if (fate?.kind === 'crash' && fate.when === 'before') {
      this.kill();
      return Subscription.EMPTY;
    }
    if (fate?.kind === 'stop') this.#stop.abort();
    else if (fate !== undefined) this.state = fate.kind === 'crash' ? 'dead' : 'stopped';
    if (fate?.kind === 'pause') {
      this.#world.after(fate.resume, () => {
        this.resume();
      });
    }
    const answer = new Subscription();
    const request = (): Subscription =>
      run.subscribe({
        next: (value) => {
          this.#turn(() => {
            if (!answer.closed) out.next(value);
          });
        },
        error: (error: unknown) => {
          this.#turn(() => {
            if (!answer.closed) out.error(error);
          });
        },
        complete: () => {
          this.#turn(() => {
            if (!answer.closed) out.complete();
          });
        },
      });
    if (fate?.kind === 'pause' && fate.late > 0) {
      answer.add(
        this.#world.after(fate.late, () => {
          answer.add(request());
        }),
      );
    } else answer.add(request());
    this.#underWay.add(answer);
    answer.add(() => {
      this.#underWay.remove(answer);
    });
    return answer;
  }
}
